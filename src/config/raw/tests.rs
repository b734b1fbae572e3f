//! What a file and the command line may say, and that a refusal tells the place.

use super::*;

fn parse(text: &str) -> Result<RawConfig, String> {
    RawConfig::parse(Path::new("c.toml"), text).map_err(|failure| failure.to_string())
}

fn written(text: &str, place: &str) -> Written {
    Written {
        text: text.into(),
        place: place.into(),
    }
}

#[test]
fn values_keep_their_text_and_place() {
    let raw = parse("# père\ncores = 2\nlisten = ['é:1', \"b:2\"]\n[stats]\nallow = 'c'\n");
    let expected = RawConfig {
        cores: Some(written("2", "c.toml:2:9: cores")),
        listen: Some(vec![
            written("é:1", "c.toml:3:11: listen"),
            written("b:2", "c.toml:3:18: listen"),
        ]),
        stats_allow: Some(vec![written("c", "c.toml:5:9: stats.allow")]),
        ..RawConfig::default()
    };
    assert_eq!(raw, Ok(expected));
}

#[test]
fn what_is_not_the_grammar_is_refused_with_its_place() {
    let table = [
        ("lisen = 'a'", "c.toml:1:1: unknown field `lisen`", "name"),
        (
            "\n[stats]\nallowed = 1",
            "c.toml:3:1: unknown field",
            "name",
        ),
        (
            "listen = 80",
            "c.toml:1:10: invalid type: integer `80`",
            "line",
        ),
        (
            "listen = [80]",
            "c.toml:1:11: invalid type: integer",
            "line",
        ),
        ("cores = true", "c.toml:1:9: invalid type: boolean", "line"),
        (
            "busy_poll = 'yes'",
            "c.toml:1:13: invalid type: string",
            "line",
        ),
        ("a = ", "c.toml:1:", "line"),
        ("cores = 1\ncores = 2", "c.toml:2:1: duplicate key", "line"),
    ];
    for (text, start, end) in table {
        let shown = parse(text).unwrap_err();
        assert!(shown.starts_with(start), "{text}: {shown}");
        assert!(shown.ends_with(end), "{text}: {shown}");
        assert!(!shown.contains(r"\n"), "{text}: {shown}");
    }
}

#[test]
fn a_relative_root_starts_from_the_files_folder() {
    let table = [
        ("/etc/c.toml", "root = 'a'", "/etc/a"),
        ("/etc/c.toml", "root = '/srv'", "/srv"),
        ("c.toml", "root = 'a'", "a"),
        ("../c.toml", "root = 'a'", "../a"),
    ];
    for (path, text, expected) in table {
        let raw = RawConfig::parse(Path::new(path), text).unwrap();
        assert_eq!(raw.root, Some(PathBuf::from(expected)));
    }
}

#[test]
fn the_command_line_replaces_what_the_file_says() {
    let file = parse("listen = ['a', 'b']\ncores = 1\nbusy_poll = true\n").unwrap();
    let over = RawConfig {
        listen: Some(vec![Written::argument("--listen", "c".into())]),
        busy_poll: Some(false),
        ..RawConfig::default()
    };
    let laid = file.clone().overlaid_by(over.clone());
    assert_eq!(laid.listen, over.listen);
    assert_eq!(laid.cores, file.cores);
    assert_eq!(laid.busy_poll, Some(false));
    assert_eq!(file.clone().overlaid_by(RawConfig::default()), file);
}

#[test]
fn a_file_that_cannot_be_read_is_the_operators_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none.toml"), folder.path().into()] {
        let failure = RawConfig::read(&path).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.what().starts_with(&path.display().to_string()));
    }
    let path = folder.path().join("c.toml");
    fs::write(&path, "busy_poll = true").unwrap();
    assert_eq!(RawConfig::read(&path).unwrap().busy_poll, Some(true));
}
