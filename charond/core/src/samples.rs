//! Connections and children for tests.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{
    Action, ChildConfig, Childless, Connection, Fragmentation, IkeConfig, IkeVersion, SendCert, Toggle,
    Unique,
};
use charon_types::kernel_op::{Mode, SaOptions};
use charon_types::lifetime::{ChildLifetime, IkeLifetime};
use charon_types::tag::{IfIdRule, SetMark, TagRules};

/// A child that says nothing but its name, and whether it is started.
pub(crate) fn child(name: &str, start: bool) -> Arc<ChildConfig> {
    Arc::new(ChildConfig {
        name: name.into(),
        proposals: Vec::new(),
        local_ts: Vec::new(),
        remote_ts: Vec::new(),
        mode: Mode::Tunnel,
        lifetime: ChildLifetime::default(),
        start_action: Action { trap: false, start },
        close_action: Action::default(),
        dpd_action: Action::default(),
        inactivity: Duration::ZERO,
        reqid: 0,
        priority: 0,
        interface: None,
        tags: TagRules::default(),
        mark_in_sa: Toggle::Disabled,
        replay_window: None,
        policies: Toggle::Enabled,
        updown: None,
        hostaccess: Toggle::Disabled,
        sa_options: SaOptions::default(),
        set_mark_in: SetMark::default(),
        set_mark_out: SetMark::default(),
        sha256_96: Toggle::Disabled,
        policies_fwd_out: Toggle::Disabled,
    })
}

/// A connection that says nothing but its name and its children.
pub(crate) fn connection(name: &str, children: Vec<Arc<ChildConfig>>) -> Connection {
    let ike = IkeConfig {
        version: IkeVersion::V2,
        local_addrs: Vec::new(),
        remote_addrs: Vec::new(),
        local_port: 500,
        remote_port: 500,
        proposals: Vec::new(),
        encap: Toggle::Disabled,
        mobike: Toggle::Enabled,
        dpd_delay: Duration::ZERO,
        dpd_timeout: Duration::ZERO,
        fragmentation: Fragmentation::Yes,
        childless: Childless::Allow,
        send_certreq: Toggle::Enabled,
        send_cert: SendCert::IfAsked,
        keyingtries: 1,
        unique: Unique::No,
        dscp: 0,
        lifetime: IkeLifetime::default(),
        vips: Vec::new(),
        pools: Vec::new(),
        if_id_in: IfIdRule::default(),
        if_id_out: IfIdRule::default(),
    };
    Connection { name: name.into(), ike, local: Vec::new(), remote: Vec::new(), children, vrouter: None }
}
