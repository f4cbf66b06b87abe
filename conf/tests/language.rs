//! The settings language, as a reader of strongswan.conf and swanctl.conf meets it.

use std::path::Path;
use std::time::Duration;

use charon_conf::{LoadError, Memory, Settings, View};

fn parse(text: &str) -> Settings {
    Settings::parse("t.conf", text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", error.picture()))
}

fn refusal(text: &str) -> (String, String) {
    let error = Settings::parse("t.conf", text.as_bytes()).expect_err("the text is not in the language");
    (error.to_string(), error.picture())
}

fn get(settings: &Settings, path: &str) -> Option<String> {
    settings.root().value(path).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn names(view: &View<'_>) -> (Vec<String>, Vec<String>) {
    (
        view.keys().map(|(name, _)| name.to_owned()).collect(),
        view.sections().map(|section| section.name().to_owned()).collect(),
    )
}

#[test]
fn values_end_at_line_end_comment_or_brace() {
    let settings =
        parse("a { b = c }\nd = e#f\ng = h i\t j # k\nl = x:y,{z.w=v\n#m = n\no=p}".trim_end_matches('}'));
    assert_eq!(get(&settings, "a.b").as_deref(), Some("c"));
    assert_eq!(get(&settings, "d").as_deref(), Some("e"));
    assert_eq!(get(&settings, "g").as_deref(), Some("h i j"));
    assert_eq!(get(&settings, "l").as_deref(), Some("x:y,{z.w=v"));
    assert_eq!(get(&settings, "m"), None);
    assert_eq!(get(&settings, "o").as_deref(), Some("p"));
}

#[test]
fn two_settings_on_a_line_are_one_value() {
    assert_eq!(get(&parse("a { b = c d = e }"), "a.b").as_deref(), Some("c d = e"));
}

#[test]
fn quoted_strings_span_lines_and_resolve_escapes() {
    let settings = parse(
        "a = \"x\r\ny\"\nb = \"1\\n2\\t\\\"\\\\\\#\\q\"\nc = \"l\\\nm\\\r\nn\"\nd = \"\"\ne = \"p\"  \"q\" r",
    );
    assert_eq!(get(&settings, "a").as_deref(), Some("x\ny"));
    assert_eq!(get(&settings, "b").as_deref(), Some("1\n2\t\"\\#q"));
    assert_eq!(get(&settings, "c").as_deref(), Some("lmn"));
    assert_eq!(get(&settings, "d").as_deref(), Some(""));
    assert_eq!(get(&settings, "e").as_deref(), Some("p q r"));
}

#[test]
fn a_brace_may_stand_on_a_later_line() {
    assert_eq!(get(&parse("a # the section\n\n{\n b = c\n}"), "a.b").as_deref(), Some("c"));
}

#[test]
fn a_repeated_key_keeps_its_place_and_takes_the_last_value() {
    let settings = parse("s { a = 1\n b = 2\n a = 3 }");
    let view = settings.section("s").expect("s was written");
    let shown: Vec<_> =
        view.keys().map(|(name, value)| (name, value.as_text(), value.location().line())).collect();
    assert_eq!(shown, [("a", Some("3"), 3), ("b", Some("2"), 2)]);
}

#[test]
fn repeated_sections_merge_with_their_sub_sections() {
    let settings = parse("s { a = 1\n t { x = 1 } }\ns { b = 2\n t { y = 2 } }");
    assert_eq!(names(&settings.section("s").expect("s was written")).0, ["a", "b"]);
    assert_eq!(names(&settings.section("s.t").expect("t was written")).0, ["x", "y"]);
}

#[test]
fn a_key_without_a_value_hides_what_stood_or_is_inherited() {
    let settings = parse("base { a = 1\n b = 2 }\ns : base { a = # none\n}\nt { x = 1\n x = }");
    assert_eq!(get(&settings, "s.a"), None);
    assert_eq!(get(&settings, "s.b").as_deref(), Some("2"));
    assert_eq!(names(&settings.section("s").expect("s was written")).0, ["b"]);
    assert_eq!(get(&settings, "t.x"), None);
}

#[test]
fn own_keys_come_first_then_those_of_references_in_order() {
    let settings = parse(
        "s : one, two.deep { z = 0 }\none { a = 1\n z = 1\n sub { k = 1 } }\ntwo { deep { b = 2\n a = 2\n sub { k = 2\n l = 2 } } }",
    );
    let view = settings.section("s").expect("s was written");
    assert_eq!(names(&view), (vec!["z".into(), "a".into(), "b".into()], vec!["sub".into()]));
    assert_eq!(get(&settings, "s.z").as_deref(), Some("0"));
    assert_eq!(get(&settings, "s.a").as_deref(), Some("1"));
    assert_eq!(get(&settings, "s.sub.k").as_deref(), Some("1"));
    assert_eq!(get(&settings, "s.sub.l").as_deref(), Some("2"));
}

#[test]
fn references_of_referenced_sections_and_of_their_parents_count() {
    let settings = parse("a : b { }\nb : c.d { }\nc : e { }\ne { d { k = v } }");
    assert_eq!(get(&settings, "a.k").as_deref(), Some("v"));
}

#[test]
fn unknown_references_are_ignored_and_circles_cut() {
    let settings = parse("a : nothing, b { x = 1 }\nb : a { y = 2 }\nc : c { z = 3 }\nd { e : d { k = v } }");
    assert_eq!(get(&settings, "a.y").as_deref(), Some("2"));
    assert_eq!(get(&settings, "b.x").as_deref(), Some("1"));
    assert_eq!(get(&settings, "c.z").as_deref(), Some("3"));
    assert_eq!(get(&settings, "d.e.e.e.k").as_deref(), Some("v"));
}

#[test]
fn many_references_to_the_same_sections_stay_cheap() {
    let mut text = String::from("s0 { k = v }\n");
    for at in 1..60 {
        text += &format!("s{at} : s{0}, s{0}, s{0} {{ }}\n", at - 1);
    }
    assert_eq!(get(&parse(&text), "s59.k").as_deref(), Some("v"));
}

#[test]
fn a_chain_of_references_beyond_the_limit_is_refused() {
    let text: String = (1..80).map(|at| format!("s{at} : s{} {{ }}\n", at - 1)).collect();
    assert_eq!(refusal(&text).0, "t.conf:65:7: references are nested too deeply");
}

#[test]
fn fallback_sections_fill_the_gaps() {
    let settings = parse("charon { a = 1\n b = 1\n p { x = 1\n y = 1 } }\ncharond { a = 2\n p { x = 2 } }");
    let view = settings.fallback(&["charond", "charon-systemd", "charon"]);
    assert_eq!(view.int("a"), Ok(Some(2)));
    assert_eq!(view.int("b"), Ok(Some(1)));
    assert_eq!(view.int("p.x"), Ok(Some(2)));
    assert_eq!(view.int("p.y"), Ok(Some(1)));
    assert_eq!(view.int::<u8>("q.y"), Ok(None));
    assert!(settings.fallback(&["none"]).is_empty());
}

#[test]
fn typed_lookups_name_file_line_and_key() {
    let settings = parse("charon {\n  port = many\n  keep = 1 h\n  secret = hush\n}\ncharond : charon { }");
    let view = settings.section("charond").expect("charond was written");
    assert_eq!(view.time("keep"), Ok(Some(Duration::from_secs(3600))));
    let message = view.int::<u16>("port").expect_err("not a number").to_string();
    assert_eq!(message, "t.conf:2: charon.port: 'many' is not an integer");
    let message = view.bool("secret").expect_err("not a bool").to_string();
    assert_eq!(message, "t.conf:4: charon.secret: the value is neither yes nor no");
}

#[test]
fn includes_are_relative_to_their_file_sorted_and_placed_where_they_stand() {
    let source = Memory::new([
        ("/etc/s.conf", "k = 0\ninclude conf.d/*.conf\ns { include \"one/x y\" }\ninclude nothing/*\nk = 9"),
        ("/etc/conf.d/b.conf", "from = b\nk = 2"),
        ("/etc/conf.d/a.conf", "from = a\ninclude more/c"),
        ("/etc/conf.d/.hidden.conf", "from = hidden"),
        ("/etc/conf.d/more/c", "c = 1"),
        ("/etc/one/x y", "inner = yes"),
    ]);
    let settings = Settings::load(&source, Path::new("/etc/s.conf")).expect("valid");
    assert_eq!(get(&settings, "from").as_deref(), Some("b"));
    assert_eq!(get(&settings, "k").as_deref(), Some("9"));
    assert_eq!(get(&settings, "c").as_deref(), Some("1"));
    assert_eq!(get(&settings, "s.inner").as_deref(), Some("yes"));
    let value = settings.root().value("s.inner").expect("set");
    assert_eq!(value.location().to_string(), "/etc/one/x y:1");
}

#[test]
fn include_is_a_keyword_only_where_a_pattern_follows() {
    let settings = parse("include = a\nincludes = b\ns { include\t= c }\ninclude{ d = e }");
    assert_eq!(get(&settings, "include").as_deref(), Some("a"));
    assert_eq!(get(&settings, "includes").as_deref(), Some("b"));
    assert_eq!(get(&settings, "s.include").as_deref(), Some("c"));
    assert_eq!(get(&settings, "include.d").as_deref(), Some("e"));
    assert_eq!(parse(&settings.to_string()), settings);
}

#[test]
fn escapes_in_a_pattern_are_resolved() {
    let source = Memory::new([("s.conf", "s { include a\\ b\\}c }"), ("a b}c", "k = v")]);
    let settings = Settings::load(&source, Path::new("s.conf")).expect("valid");
    assert_eq!(get(&settings, "s.k").as_deref(), Some("v"));
}

#[test]
fn a_file_that_includes_itself_is_refused() {
    let source = Memory::new([("s.conf", "\n  include s.conf")]);
    let error = Settings::load(&source, Path::new("s.conf")).expect_err("endless");
    assert_eq!(error.to_string(), "s.conf:2:3: includes are nested too deeply");
}

#[test]
fn a_fault_in_an_included_file_names_that_file() {
    let source = Memory::new([("d/s.conf", "include x"), ("d/x", "a = 1\n}")]);
    let error = Settings::load(&source, Path::new("d/s.conf")).expect_err("unbalanced");
    assert_eq!(error.to_string(), "d/x:2:1: this `}` closes no section of this file");
}

#[test]
fn a_missing_file_is_told_from_a_broken_one() {
    let error = Settings::load(&Memory::default(), Path::new("no.conf")).expect_err("missing");
    assert!(error.is_missing_file());
    assert!(!matches!(error, LoadError::Syntax(_)));
}

#[test]
fn faults_have_a_line_a_column_and_a_picture() {
    let (message, picture) = refusal("a = 1\n\tb c = 2\n");
    assert_eq!(message, "t.conf:2:4: expected `=`, `{` or `:` after the name, found `c`");
    assert_eq!(picture, "  |\n2 | \tb c = 2\n  | \t  ^\n");
}

#[test]
fn each_fault_has_its_own_words() {
    let long = "x".repeat(257);
    let deep = "a{".repeat(65);
    let cases: [(&str, &str); 16] = [
        ("a {\n b = c\n", "t.conf:1:1: the section that starts here is not closed"),
        ("a = \"x\ny", "t.conf:1:5: the string that starts here does not end"),
        ("a = \"x\\", "t.conf:1:5: the string that starts here does not end"),
        ("}", "t.conf:1:1: this `}` closes no section of this file"),
        ("\"a\" = b", "t.conf:1:1: expected a name or `}`, found `\"`"),
        ("= b", "t.conf:1:1: expected a name or `}`, found `=`"),
        ("a.b = c", "t.conf:1:2: a name may not contain a dot"),
        ("a", "t.conf:1:2: expected `=`, `{` or `:` after the name, found the end of the file"),
        ("a\nb = c", "t.conf:1:2: expected `=`, `{` or `:` after the name, found the end of the line"),
        ("a : { }", "t.conf:1:5: expected the path of a section, found `{`"),
        ("a : b..c { }", "t.conf:1:5: a name in this path is empty"),
        ("a : b c { }", "t.conf:1:7: expected `{` or `,`, found `c`"),
        ("include # x", "t.conf:1:9: expected a file pattern after include, found `#`"),
        ("include a b", "t.conf:1:11: expected the end of the line, found `b`"),
        (&long, "t.conf:1:1: a name may have 256 bytes at most"),
        (&deep, "t.conf:1:129: sections are nested too deeply"),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(text).0, expected, "{text}");
    }
}

#[test]
fn a_picture_does_not_show_secrets() {
    let (_, picture) = refusal("secrets { ike-1 { secret = \"open sesame");
    assert!(picture.contains("secret = \"**** ******"), "{picture}");
    assert!(!picture.contains("sesame"), "{picture}");
}

#[test]
fn values_do_not_show_in_debug_output() {
    let settings = parse("ike-1 { secret = sesame }");
    assert!(!format!("{settings:?}").contains("sesame"));
}

#[test]
fn shipped_files_are_in_the_language_and_need_no_notice() {
    for file in ["strongswan.conf", "swanctl.conf"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let settings = Settings::load(&charon_conf::FileSystem, &path).expect("shipped files are valid");
        assert_eq!(charon_conf::check(&settings), []);
    }
}

#[test]
fn files_on_disk_are_found_by_pattern() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the directory")).expect("writable");
        std::fs::write(path, text).expect("writable");
    };
    write("s.conf", "include conf.d/*.conf\ninclude sub*/[ab]/x\ninclude none/*");
    write("conf.d/2.conf", "k = 2");
    write("conf.d/1.conf", "k = 1");
    write("conf.d/dir.conf/inner", "k = 3");
    write("sub1/a/x", "x = a");
    write("sub1/c/x", "x = c");
    let settings = Settings::load(&charon_conf::FileSystem, &directory.path().join("s.conf")).expect("valid");
    assert_eq!(get(&settings, "k").as_deref(), Some("2"));
    assert_eq!(get(&settings, "x").as_deref(), Some("a"));
}

#[test]
fn of_very_many_names_each_is_found_and_keeps_its_place() {
    let numbers = || 0..100;
    let mut text: String = numbers().map(|at| format!("k{at} = {at}\ns{at} {{ x = {at} }}\n")).collect();
    text += "k50 = again\ns50 { x = again }\n";
    let settings = parse(&text);
    for at in numbers() {
        let expected = if at == 50 { "again".to_owned() } else { at.to_string() };
        assert_eq!(get(&settings, &format!("k{at}")).as_ref(), Some(&expected));
        assert_eq!(get(&settings, &format!("s{at}.x")).as_ref(), Some(&expected));
    }
    let all = |start: &str| numbers().map(|at| format!("{start}{at}")).collect::<Vec<_>>();
    assert_eq!(names(&settings.root()), (all("k"), all("s")));
}

#[test]
fn bytes_that_are_no_text_spoil_only_their_own_value() {
    let settings =
        Settings::parse("t.conf", b"a = \xff\n\xc3\xa9 = \xc3\xa9").expect("any bytes are a value");
    let value = |key| settings.root().value(key).expect("it was written");
    assert_eq!((value("a").as_bytes(), value("a").as_text()), (b"\xff".as_slice(), None));
    assert_eq!(value("\u{e9}").as_text(), Some("\u{e9}"));
    let error = Settings::parse("t.conf", b"a = b\n\xff = c").expect_err("no name");
    assert_eq!(error.to_string(), "t.conf:2:1: a name must be UTF-8");
}
