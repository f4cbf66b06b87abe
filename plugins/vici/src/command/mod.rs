//! The commands, one file each: it reads the request, asks [`Control`](charon_core::control::Control), renders the answer.

mod authorities;
mod clear_creds;
mod flush_certs;
mod get_algorithms;
mod get_conns;
mod get_counters;
mod get_keys;
mod get_shared;
mod initiate;
mod install;
mod list_certs;
mod list_conns;
mod list_policies;
mod list_sas;
mod load_cert;
mod load_conn;
mod load_key;
mod load_shared;
mod load_token;
mod pools;
mod redirect;
mod rekey;
mod reload_settings;
mod reset_counters;
mod running;
mod stats;
mod terminate;
mod uninstall;
mod unload_conn;
mod unload_key;
mod unload_shared;
pub(crate) mod version;
mod vrouters;

use std::sync::Arc;

use vici::Message;

use crate::access::Access;
use crate::emit::{Emitter, Gone};
use crate::reply;
use crate::request::Request;
use crate::server::Server;

/// Runs the command of that name; `None` if there is none.
pub(crate) async fn run(
    name: &str,
    access: Access,
    server: &Arc<Server>,
    request: &Request<'_>,
    emitter: &Emitter,
) -> Result<Option<Message>, Gone> {
    if !access.allows(name) {
        return Ok(Some(reply::failure(format_args!("{name} is not allowed on a read-only socket"))));
    }
    Ok(Some(match name {
        "version" => server.version.clone(),
        "stats" => stats::run(server),
        "reload-settings" => reload_settings::run(server).await,
        "initiate" => initiate::run(server, request, emitter).await?,
        "terminate" => terminate::run(server, request, emitter).await?,
        "rekey" => rekey::run(server, request).await,
        "install" => install::run(server, request).await,
        "uninstall" => uninstall::run(server, request).await,
        "list-policies" => list_policies::run(server, request, emitter).await?,
        "list-sas" => list_sas::run(server, request, emitter).await?,
        "list-conns" => list_conns::run(server, request, emitter).await?,
        "list-certs" => list_certs::run(server, request, emitter).await?,
        "flush-certs" => flush_certs::run(server, request),
        "get-algorithms" => get_algorithms::run(server),
        "get-conns" => get_conns::run(server),
        "get-keys" => get_keys::run(server),
        "get-shared" => get_shared::run(server),
        "load-conn" => load_conn::run(server, request).await,
        "unload-conn" => unload_conn::run(server, request).await,
        "load-cert" => load_cert::run(server, request),
        "load-key" => load_key::run(server, request),
        "unload-key" => unload_key::run(server, request),
        "load-shared" => load_shared::run(server, request),
        "unload-shared" => unload_shared::run(server, request),
        "get-authorities" => authorities::get(server),
        "list-authorities" => authorities::list(server, request, emitter).await?,
        "load-authority" => authorities::load(server, request),
        "unload-authority" => authorities::unload(server, request),
        "get-counters" => get_counters::run(server, request),
        "reset-counters" => reset_counters::run(server, request),
        "load-token" => load_token::run(request),
        "redirect" => redirect::run(server, request).await,
        "get-pools" => pools::get(server, request),
        "load-pool" => pools::load(server, request),
        "unload-pool" => pools::unload(server, request),
        "clear-creds" => clear_creds::run(server),
        "load-vrouter" => vrouters::load(server, request).await,
        "unload-vrouter" => vrouters::unload(server, request).await,
        "get-vrouters" => vrouters::get(server),
        "list-vrouters" => vrouters::list(server, request, emitter).await?,
        _ => return Ok(None),
    }))
}
