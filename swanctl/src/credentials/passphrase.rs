//! Passphrases of key files: from the secrets of swanctl.conf, or asked for.

use charon_conf::Settings;
use zeroize::Zeroizing;

/// Whether the user may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    Ask,
    Never,
}

/// The passphrases given for a file: those of all sections `secrets.KIND*` that name it.
pub(crate) fn configured(settings: &Settings, kind: &str, file: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let Some(secrets) = settings.section("secrets") else { return Vec::new() };
    let sections: Vec<_> = secrets.sections().collect();
    let naming = sections.iter().filter(|section| {
        let names = section.value("file").and_then(|value| value.as_text());
        section.name().starts_with(kind) && names.is_some_and(|name| name.eq_ignore_ascii_case(file))
    });
    naming
        .flat_map(|section| section.keys())
        .filter(|(key, _)| key.starts_with("secret"))
        .map(|(_, value)| Zeroizing::new(value.as_bytes().to_vec()))
        .collect()
}

/// Asks on the terminal, without echo; `None` if there is no terminal or nothing was entered.
pub(crate) fn ask(question: &str) -> Option<Zeroizing<String>> {
    rpassword::prompt_password(question).ok().map(Zeroizing::new).filter(|answer| !answer.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_of_every_section_that_names_the_file_counts() {
        let text = "secrets { private-a { file = moon.pem\n secret = one\n secret-old = two }\n\
            private { file = MOON.PEM\n secret = three }\n private-b { file = sun.pem\n secret = four }\n\
            rsa { file = moon.pem\n secret = five } }";
        let settings = Settings::parse("t.conf", text.as_bytes()).expect("the test writes valid settings");
        let found = configured(&settings, "private", "moon.pem");
        let found: Vec<_> = found.iter().map(|secret| secret.as_slice()).collect();
        assert_eq!(found, [b"one".as_slice(), b"two", b"three"]);
    }
}
