//! Does the faults of a plan, and undoes them.

use std::time::{Duration, Instant};

use lab::{process::Server, proxy::Link, stores::StoreServer};
use tokio::{net::TcpStream, time::sleep};

use super::{
    disk::Disk,
    plan::{Act, Plan, Step},
    weather::Weather,
    world::{World, places},
};

/// A process that was asked to stop has as long for requests in flight (10 s), and then some for all else.
const STOPS_WITHIN: Duration = Duration::from_secs(15);
/// A process listens within this time after it was started, on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Does all of them; returns when the last is over.
pub(super) async fn play(plan: &Plan, world: &mut World, weather: &Weather) {
    let World { servers, stores, edge, inside, disk, .. } = world;
    tokio::join!(
        of_servers(&plan.servers, servers, disk.is_some(), weather),
        of_stores(&plan.stores, stores, weather),
        of_links(&plan.edge, edge, weather),
        of_links(&plan.inside, inside, weather),
        of_disk(&plan.disk, disk.as_ref(), weather),
    );
}

/// Waits until it is time for a step.
async fn time_of(step: &Step, weather: &Weather) {
    sleep(step.at.saturating_sub(weather.elapsed())).await;
}

async fn of_servers(steps: &[Step], servers: &mut [Server], may_fail_to_start: bool, weather: &Weather) {
    for step in steps {
        time_of(step, weather).await;
        let server = &mut servers[step.target];
        assert!(server.is_running(), "{} has ended by itself:\n{}", server.name(), server.log());
        let spell = weather.begin(step.what(), places(server.name()));
        if step.act == Act::Freeze {
            server.freeze();
            sleep(step.lasts).await;
            server.thaw();
        } else {
            if step.act == Act::Kill {
                server.kill().await;
            } else {
                let stopped = tokio::time::timeout(STOPS_WITHIN, server.stop()).await;
                assert!(stopped.is_ok(), "{} goes on {STOPS_WITHIN:?} after SIGTERM", server.name());
            }
            sleep(step.lasts).await;
            start(server, may_fail_to_start).await;
        }
        weather.end(spell);
    }
}

/// Starts it, again and again as an operator would where that may fail, because the disk is full.
async fn start(server: &mut Server, may_fail: bool) {
    server.revive();
    let give_up = Instant::now() + STARTS_WITHIN;
    while TcpStream::connect(server.address()).await.is_err() {
        assert!(Instant::now() < give_up, "{} does not start:\n{}", server.name(), server.log());
        if !server.is_running() {
            assert!(may_fail, "{} has ended by itself:\n{}", server.name(), server.log());
            server.kill().await;
            server.revive();
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn of_stores(steps: &[Step], stores: &mut [StoreServer], weather: &Weather) {
    for step in steps {
        time_of(step, weather).await;
        let store = &mut stores[step.target];
        let spell = weather.begin(step.what(), places(store.kind().name()));
        if step.act == Act::Freeze {
            store.freeze();
            sleep(step.lasts).await;
            store.thaw();
        } else {
            store.crash().await;
            sleep(step.lasts).await;
            store.start().await;
        }
        weather.end(spell);
    }
}

async fn of_links(steps: &[Step], links: &[Link], weather: &Weather) {
    for step in steps {
        time_of(step, weather).await;
        let link = &links[step.target];
        let spell = weather.begin(step.what(), places(link.name()));
        let Act::Break(fault) = step.act else { unreachable!("{step} is no fault of a link") };
        link.set(Some(fault));
        sleep(step.lasts).await;
        link.set(None);
        weather.end(spell);
    }
}

async fn of_disk(steps: &[Step], disk: Option<&Disk>, weather: &Weather) {
    let Some(disk) = disk else { return };
    for step in steps {
        time_of(step, weather).await;
        let spell = weather.begin(step.what(), places("the disk"));
        disk.fill();
        sleep(step.lasts).await;
        disk.free();
        weather.end(spell);
    }
}
