use std::net::Ipv4Addr;

use super::*;

const USERS: &str = "# mine\nsearch lab.example\nnameserver 192.0.2.53\n";

struct Host {
    directory: tempfile::TempDir,
    servers: NameServers,
}

impl Host {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), servers: NameServers::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self) -> Option<String> {
        fs::read_to_string(self.path("resolv.conf")).ok()
    }

    fn resolver(&self) -> Resolver {
        Resolver {
            file: Some(self.path("resolv.conf")),
            program: Some(self.path("resolvconf")),
            interface: "lo.ipsec".to_owned(),
        }
    }

    async fn add(&mut self, last: u8) {
        let resolver = self.resolver();
        self.servers.add(server(last), &resolver).await;
    }
}

fn server(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 2, 0, last).into()
}

#[tokio::test]
async fn servers_stand_before_the_lines_of_the_user_which_stay_when_they_go() {
    let mut host = Host::new();
    fs::write(host.path("resolv.conf"), USERS).unwrap();
    fs::set_permissions(host.path("resolv.conf"), fs::Permissions::from_mode(0o640)).unwrap();
    host.add(53).await;
    host.add(54).await;
    let expected =
        format!("nameserver 10.2.0.53   # by charond\nnameserver 10.2.0.54   # by charond\n{USERS}");
    assert_eq!(host.file().unwrap(), expected);
    assert_eq!(fs::metadata(host.path("resolv.conf")).unwrap().permissions().mode() & 0o777, 0o640);
    host.servers.remove(server(53)).await;
    assert_eq!(host.file().unwrap(), format!("nameserver 10.2.0.54   # by charond\n{USERS}"));
    host.servers.remove_all().await;
    assert_eq!(host.file().unwrap(), USERS);
    assert_eq!(fs::read_dir(host.directory.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn a_server_stays_until_its_last_user_is_gone() {
    let mut host = Host::new();
    fs::write(host.path("resolv.conf"), USERS).unwrap();
    host.add(53).await;
    host.add(53).await;
    host.servers.remove(server(53)).await;
    assert_ne!(host.file().unwrap(), USERS);
    host.servers.remove(server(53)).await;
    assert_eq!(host.file().unwrap(), USERS);
}

#[tokio::test]
async fn what_the_user_writes_meanwhile_stays_and_a_last_line_may_lack_its_end() {
    let mut host = Host::new();
    fs::write(host.path("resolv.conf"), USERS).unwrap();
    host.add(53).await;
    let edited = format!("{}nameserver 192.0.2.54", host.file().unwrap());
    fs::write(host.path("resolv.conf"), edited).unwrap();
    host.servers.remove(server(53)).await;
    assert_eq!(host.file().unwrap(), format!("{USERS}nameserver 192.0.2.54"));
}

#[tokio::test]
async fn a_file_that_was_not_there_goes_again() {
    let mut host = Host::new();
    host.add(53).await;
    assert_eq!(host.file().unwrap(), "nameserver 10.2.0.53   # by charond\n");
    host.servers.remove(server(53)).await;
    assert_eq!(host.file(), None);
}

#[tokio::test]
async fn lines_that_a_killed_daemon_left_go_with_the_next_change() {
    let mut host = Host::new();
    fs::write(host.path("resolv.conf"), format!("nameserver 10.9.0.9   # by charond\n{USERS}")).unwrap();
    host.add(53).await;
    assert_eq!(host.file().unwrap(), format!("nameserver 10.2.0.53   # by charond\n{USERS}"));
}

#[tokio::test]
async fn a_link_stays_a_link() {
    let mut host = Host::new();
    fs::write(host.path("real"), USERS).unwrap();
    std::os::unix::fs::symlink(host.path("real"), host.path("resolv.conf")).unwrap();
    host.add(53).await;
    assert!(fs::symlink_metadata(host.path("resolv.conf")).unwrap().is_symlink());
    assert!(fs::read_to_string(host.path("real")).unwrap().starts_with("nameserver 10.2.0.53"));
}

#[tokio::test]
async fn a_link_to_nowhere_stays_one_as_well() {
    let mut host = Host::new();
    std::os::unix::fs::symlink("real", host.path("resolv.conf")).unwrap();
    host.add(53).await;
    assert!(fs::read_to_string(host.path("real")).unwrap().starts_with("nameserver 10.2.0.53"));
    host.servers.remove(server(53)).await;
    assert!(fs::symlink_metadata(host.path("resolv.conf")).unwrap().is_symlink());
    assert!(!host.path("real").exists());
}

#[tokio::test]
async fn resolvconf_is_told_instead_if_it_is_there() {
    let mut host = Host::new();
    let told = host.path("told");
    let script = format!("#!/bin/sh\necho \"$@\" >>{0}\ncat >>{0}\n", told.display());
    fs::write(host.path("resolvconf"), script).unwrap();
    fs::set_permissions(host.path("resolvconf"), fs::Permissions::from_mode(0o755)).unwrap();
    host.add(53).await;
    host.add(54).await;
    host.servers.remove_all().await;
    let expected = "-a lo.ipsec\nnameserver 10.2.0.53\n-a lo.ipsec\nnameserver 10.2.0.53\nnameserver 10.2.0.54\n-d lo.ipsec\n";
    assert_eq!(fs::read_to_string(told).unwrap(), expected);
    assert_eq!(host.file(), None);
}
