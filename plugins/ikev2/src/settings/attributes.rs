//! What every client with a virtual address is handed: `dns1`, `dns2`, `nbns1`, `nbns2`, and `plugins.attr` by name or number.

use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_conf::scalar::{self, Problem};
use charon_types::config_attribute::{AttributeName, ConfigAttribute};

/// The older settings, which name one server each.
const SERVERS: &[(&str, &str)] = &[("dns1", "dns"), ("dns2", "dns"), ("nbns1", "nbns"), ("nbns2", "nbns")];

/// All of them, in the order in which they are sent.
///
/// # Errors
/// A value that is none of its attribute, or a name of none, with file, line and key.
pub(super) fn read(daemon: &Configured<'_>) -> Result<Vec<ConfigAttribute>, ValueError> {
    let mut attributes = Vec::new();
    for (key, name) in SERVERS {
        let server = daemon.parsed(key, |text| encode(name, text))?;
        attributes.extend(server.into_iter().flatten());
    }
    let Some(section) = daemon.view().section("plugins.attr") else { return Ok(attributes) };
    // `load` is a key of every plugin's section.
    for (key, _) in section.keys().filter(|(key, _)| *key != "load") {
        let values = section.typed(key, |text| encode(key, text))?;
        attributes.extend(values.into_iter().flatten());
    }
    Ok(attributes)
}

/// One attribute for each value of a list.
fn encode(key: &str, text: &str) -> Result<Vec<ConfigAttribute>, Problem> {
    let name = AttributeName::parse(&key.replace('-', "_")).ok_or(Problem::NotAttribute)?;
    let encoded = |text: &str| name.encode(text).ok_or(Problem::NotAttribute);
    scalar::split_list(text).map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use charon_conf::Settings as Stored;
    use charon_core::plugin::daemon_settings;
    use charon_types::config_attribute::AttributeKind;

    use super::*;

    fn attributes(text: &str) -> Result<Vec<ConfigAttribute>, String> {
        let stored = Stored::parse("s.conf", text.as_bytes()).unwrap();
        read(&daemon_settings(&stored)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn servers_and_attributes_by_name_and_number_are_read_in_their_order() {
        let read = attributes(
            "charon {\n nbns1 = 10.2.0.54\n dns1 = 10.2.0.53\n plugins { attr {\n load = yes\n dns = 10.2.0.55, fd02::53
             split-include = 10.2.0.0/16\n 25 = lab.example\n } } }",
        )
        .unwrap();
        let kinds: Vec<_> = read.iter().map(|attribute| attribute.kind).collect();
        let expected = [
            AttributeKind::INTERNAL_IP4_DNS,
            AttributeKind::INTERNAL_IP4_NBNS,
            AttributeKind::INTERNAL_IP4_DNS,
            AttributeKind::INTERNAL_IP6_DNS,
            AttributeKind::UNITY_SPLIT_INCLUDE,
            AttributeKind::INTERNAL_DNS_DOMAIN,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(read[5].value, b"lab.example");
    }

    #[test]
    fn what_is_no_attribute_is_refused_by_file_line_and_key() {
        let fault = attributes("charon {\n dns1 = nowhere\n}").unwrap_err();
        assert_eq!(fault, "s.conf:2: charon.dns1: 'nowhere' is not a value of this attribute");
        let fault = attributes("charon { plugins { attr {\n printer = 10.2.0.1\n} } }").unwrap_err();
        assert_eq!(
            fault,
            "s.conf:2: charon.plugins.attr.printer: '10.2.0.1' is not a value of this attribute"
        );
    }
}
