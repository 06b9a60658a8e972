//! A plan as `apply.lua` reads it: a list of steps, each a name and what that takes. Numbers are text, since Lua's have 53
//! bits.

use serde_json::{Value, json};

use crate::{
    plan::{Change, Plan},
    store::Error,
    view::ACTIVE,
};

pub(super) fn encode(plan: &Plan) -> Result<String, Error> {
    let mut steps: Vec<Value> = plan.changes.iter().map(change).collect();
    for (id, channel) in &plan.channels {
        let channel = serde_json::to_string(channel).map_err(storage::Error::damaged)?;
        steps.push(json!(["channel", id.to_string(), channel]));
    }
    steps.extend(plan.totals.iter().map(|(kind, more)| json!(["total", kind, more])));
    for ((scale, start), more) in &plan.rates {
        steps.push(json!(["rate", format!("{} {}", scale.width, scale.slot(*start)), start.to_string(), more]));
    }
    for (user, at) in &plan.active {
        steps.push(json!(["active", user, at.timestamp_micros().to_string()]));
    }
    if let Some(newest) = plan.active.values().max() {
        steps.push(json!(["inactive", (*newest - ACTIVE).timestamp_micros().to_string()]));
    }
    Ok(Value::Array(steps).to_string())
}

fn change(change: &Change) -> Value {
    match change {
        Change::Put(list, row) => {
            let channel = row.channel.map(|id| id.to_string()).unwrap_or_default();
            json!(["put", list.to_string(), list.most(), row.thing, channel, row.json])
        }
        Change::Scrub(thing) => json!(["scrub", thing]),
        Change::ScrubChannel(id) => json!(["scrub_channel", id.to_string()]),
        Change::Hide(id) => json!(["hide", id.to_string()]),
        Change::Join(id, user) => json!(["join", id.to_string(), user]),
        Change::Leave(id, user) => json!(["leave", id.to_string(), user]),
    }
}
