//! Examples of whole bodies, put together from the examples that their fields have.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{Content, RefOr, Schema};

/// Gives each body that has no example one.
pub(super) fn add<'a>(bodies: impl Iterator<Item = &'a mut RefOr<Content>>, schemas: &Value) {
    for body in bodies {
        if let RefOr::T(body) = body
            && body.example.is_none()
            && body.examples.is_empty()
        {
            body.example = body
                .schema
                .as_ref()
                .and_then(|schema| serde_json::to_value(schema).ok())
                .map(|schema| of(&schema, schemas));
        }
    }
}

/// The word that examples show, where the first of its set would make an odd one.
const WORDS: [(&str, &str); 2] = [("EntryKind", "sale"), ("TransactionStatus", "completed")];

/// Gives those words to their sets.
pub(super) fn choose(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    for (name, word) in WORDS {
        if let Some(RefOr::T(Schema::Object(set))) = schemas.get_mut(name) {
            set.example = Some(word.into());
        }
    }
}

/// What `schema` describes, by its own example or by those of its parts; `schemas` has what it refers to.
fn of(schema: &Value, schemas: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return of(&schemas[name], schemas);
    }
    let given = ["/example", "/examples/0", "/enum/0"].iter().find_map(|place| schema.pointer(place));
    if let Some(example) = given {
        return example.clone();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().filter_map(|part| of(part, schemas).as_object().cloned());
        return Value::Object(parts.flatten().collect());
    }
    if let Some(first) = schema["oneOf"].get(0) {
        return of(first, schemas);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match (kind, schema["format"].as_str()) {
        (Some("object"), _) => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            Value::Object(fields.map(|(name, field)| (name.clone(), of(field, schemas))).collect::<Map<_, _>>())
        }
        (Some("array"), _) => json!([of(&schema["items"], schemas)]),
        (Some("integer" | "number"), _) => json!(1),
        (Some("boolean"), _) => json!(false),
        (_, Some("uuid")) => json!("5e9b3c1a-7d55-4c6b-9a1a-2f0f7b0a8f11"),
        (_, Some("date-time")) => json!("2026-11-20T21:28:56.215Z"),
        _ => json!("text"),
    }
}
