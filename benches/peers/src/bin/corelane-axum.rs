//! The routes of axum on one core of corelane.

use corelane::app::tower::Tower;
use corelane::{App, Server};
use peers::{Options, axum_routes};

fn main() -> corelane::Result<()> {
    let options = Options::from_args();
    // The process may use one CPU, so there is one core.
    Server::bind(options.listen).run(|_shard| App::new().fallback(Tower::new(axum_routes())))
}
