//! What a configuration file may say, and what is said about one that is wrong.

#![allow(clippy::expect_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::ClockId;
use proptest::prelude::*;
use pulse_echo::config::{Config, Count, DEFAULT_FILE, NullConnections, Place, ProxyProtocol};
use pulse_echo::core::{Deadlines, Heartbeat, Protocol};
use pulse_echo::ops::logging::{LogFormat, LogLevel};

const GOOD_LISTENER: &str = r#"
[[listener]]
name = "good"
address = "127.0.0.1:7007"
protocol = "line"
"#;

/// What is printed for `text`, which must be wrong.
fn refusal(text: &str) -> String {
    match Config::parse(text, "FILE") {
        Ok(config) => panic!("accepted:\n{text}\nas:\n{config}"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn every_wrong_file_is_told_exactly_what_is_wrong() {
    let cases = include_str!("config/refused.txt").split("\n==").skip(1);
    let mut checked = 0;
    for case in cases {
        let (_title, lines) = case.split_once('\n').expect("a title line");
        let (said, file): (Vec<&str>, Vec<&str>) = lines.lines().partition(|line| line.starts_with('>'));
        let mut file = file.join("\n");
        if !file.contains("listener") {
            file.push_str(GOOD_LISTENER);
        }
        let expected: Vec<&str> = said.iter().map(|line| &line[2..]).collect();
        let printed = refusal(&file).replace("FILE:", "");
        let problems: Vec<&str> = printed.lines().collect();
        let (_count, problems) = problems.split_last().expect("a count line");
        assert_eq!(problems, expected, "for:\n{file}");
        checked += 1;
    }
    assert!(checked > 60, "only {checked} cases were read");
}

#[test]
fn the_printout_names_the_file_with_each_place_and_ends_with_the_count() {
    assert_eq!(
        refusal(&format!("[deadlines]\nread = 60\nwrtie = \"5s\"\n{GOOD_LISTENER}")),
        r#"FILE:2:8: deadlines.read: given 60, allowed: "1ms" to "365d", or "off"
    a duration is a string with a unit: did you mean "60s"?
FILE:3:1: deadlines.wrtie: unknown key, allowed: read, write or lifetime
    did you mean "write"?
2 problems in FILE"#
    );
}

#[test]
fn problems_can_be_taken_apart() {
    let text = format!("[log]\nlevel = \"loud\"\n{GOOD_LISTENER}");
    let problems = Config::parse(&text, "FILE").expect_err("loud is no level");
    let problem = problems.iter().next().expect("never empty");
    assert_eq!(problems.file(), "FILE");
    assert_eq!(problem.place, Some(Place { line: 2, column: 9 }));
    assert_eq!(problem.key, "log.level");
}

#[test]
fn the_built_in_default_is_the_default_file() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pulse-echo.toml");
    let loaded = Config::load(&shipped).expect("the default file is right");
    assert_eq!(loaded, Config::built_in());
    assert!(loaded.listeners.iter().all(|listener| listener.address.ip().is_loopback()));
}

#[test]
fn what_a_file_leaves_out_is_as_in_the_default_file() {
    let from_listeners = DEFAULT_FILE.find("\n[[listener]]\n").expect("the file has listeners");
    let config = Config::parse(&DEFAULT_FILE[from_listeners..], "FILE").expect("nothing is wrong");
    assert_eq!(config, Config::built_in());
}

#[test]
fn the_examples_in_the_default_file_work() {
    let text = DEFAULT_FILE.replace("# deadlines.", "deadlines.").replace("# heartbeat.", "heartbeat.");
    let config = Config::parse(&text, "FILE").expect("the examples are right");
    assert_eq!(config.listeners[0].deadlines.read, Some(Duration::from_secs(300)));
    assert_eq!(config.listeners[0].heartbeat, None);
    assert_eq!(config.listeners[1], Config::built_in().listeners[1]);
}

#[test]
fn every_setting_arrives_where_it_belongs() {
    let config = Config::parse(include_str!("config/everything.toml"), "FILE").expect("it is right");
    assert_eq!(config.server.workers, Count::Exactly(4));
    assert_eq!(config.server.max_connections, Count::Exactly(50_000));
    assert_eq!(config.server.shutdown_grace, Duration::ZERO);
    assert!(!config.server.keep_connections);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.log.summary_interval, None);
    assert_eq!(config.log.null_connections, NullConnections::Count);
    let [own, inherited] = config.listeners.as_slice() else { panic!("two listeners") };

    assert_eq!(own.name, "own.values_1");
    assert_eq!(own.address, "[::1]:0".parse().expect("an address"));
    assert_eq!(own.protocol, Protocol::Raw);
    assert_eq!(own.proxy_protocol, ProxyProtocol::Required);
    let (read, write, lifetime) = (None, Some(Duration::from_millis(1500)), None);
    assert_eq!(own.deadlines, Deadlines { read, write, lifetime });
    let (interval, timeout) = (Duration::from_secs(32_767), Duration::from_secs(7));
    assert_eq!(own.heartbeat, Some(Heartbeat { interval, timeout, max_missed: 127 }));

    let (read, write) = (Some(Duration::from_secs(90)), None);
    let lifetime = Some(Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!(inherited.deadlines, Deadlines { read, write, lifetime });
    let (interval, timeout) = (Duration::from_millis(250), Duration::from_secs(7));
    assert_eq!(inherited.heartbeat, Some(Heartbeat { interval, timeout, max_missed: 2 }));
}

#[test]
fn the_effective_settings_parse_to_the_same_again() {
    for text in [DEFAULT_FILE, include_str!("config/everything.toml")] {
        let config = Config::parse(text, "FILE").expect("it is right");
        let printed = config.to_string();
        assert_eq!(Config::parse(&printed, "printed"), Ok(config), "{printed}");
    }
}

#[test]
fn what_looks_odd_but_is_allowed_is_accepted() {
    let table = [
        ("exactly the time the heartbeat needs", "[deadlines]\nread = \"30s\""),
        (
            "a short read deadline without a heartbeat",
            "[deadlines]\nread = \"1ms\"\n[heartbeat]\ninterval = \"off\"",
        ),
        (
            "a slow heartbeat without a read deadline",
            "[deadlines]\nread = \"off\"\n[heartbeat]\ninterval = \"9h\"",
        ),
        (
            "nothing that ends a silent connection",
            "[deadlines]\nread = \"off\"\nwrite = \"off\"\n[heartbeat]\ninterval = \"off\"",
        ),
        ("a lifetime shorter than all else", "[deadlines]\nlifetime = \"1s\""),
        ("a section without keys", "[server]\n[log]\n[heartbeat]"),
        (
            "other ways to write TOML",
            "server = { workers = 0x10 }\nlog.level = 'warn'\n\"heartbeat\".\"max_missed\" = 0b11",
        ),
        ("a byte order mark", "\u{feff}[server]"),
        ("line ends of another system", "[server]\r\nworkers = 4\r\n"),
    ];
    for (what, text) in table {
        let parsed = Config::parse(&format!("{text}\n{GOOD_LISTENER}"), "FILE");
        assert!(parsed.is_ok(), "{what}: {}", parsed.expect_err("checked"));
    }
}

#[test]
fn a_wrong_default_that_nobody_inherits_harms_nobody() {
    let text = format!("[deadlines]\nread = \"10s\"\n{GOOD_LISTENER}deadlines.read = \"60s\"\n");
    assert!(Config::parse(&text, "FILE").is_ok());
}

#[test]
fn listeners_may_share_port_0_and_a_port_of_other_addresses() {
    let table = [
        ["127.0.0.1:0", "127.0.0.1:0"],
        ["0.0.0.0:0", "127.0.0.1:0"],
        ["0.0.0.0:7", "[::]:7"],
        ["0.0.0.0:7", "[::1]:7"],
        ["127.0.0.1:7", "127.0.0.2:7"],
        ["0.0.0.0:7", "127.0.0.1:8"],
        ["[fe80::1%1]:7", "[fe80::1%2]:7"],
    ];
    let listener = |name: &str, address: &str| {
        format!("[[listener]]\nname = \"{name}\"\naddress = \"{address}\"\nprotocol = \"raw\"\n")
    };
    for [one, other] in table {
        let text = listener("a", one) + &listener("b", other);
        assert!(Config::parse(&text, "FILE").is_ok(), "{}", refusal(&text));
    }
}

mod files {
    use super::*;

    /// A file of its own for each test, gone afterwards.
    struct Scratch(PathBuf);

    impl Scratch {
        fn holding(name: &str, bytes: &[u8]) -> Scratch {
            let path = std::env::temp_dir().join(format!("pulse-echo-{}-{name}", std::process::id()));
            fs::write(&path, bytes).expect("a file in the temporary directory");
            Scratch(path)
        }

        fn refusal(&self) -> String {
            Config::load(&self.0).expect_err("the file is wrong").to_string()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_file(&self.0).expect("the file is still there");
        }
    }

    #[test]
    fn a_missing_file_is_told_how_to_start() {
        let refusal = Config::load(Path::new("no such file")).expect_err("it is missing").to_string();
        assert!(refusal.starts_with("no such file: cannot be read: "), "{refusal}");
        assert!(refusal.contains("`pulse-echo default-config`"), "{refusal}");
    }

    #[test]
    fn a_directory_is_no_file() {
        let refusal = Config::load(&std::env::temp_dir()).expect_err("a directory").to_string();
        assert!(refusal.contains("give the file in it"), "{refusal}");
    }

    /// Fails by the time limit of the run if it waits: nobody ever writes to the pipe.
    #[test]
    fn what_is_no_plain_file_is_refused_without_waiting() {
        let path = std::env::temp_dir().join(format!("pulse-echo-{}-pipe", std::process::id()));
        let pipe = Scratch(path);
        nix::unistd::mkfifo(&pipe.0, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
        assert!(pipe.refusal().contains("is no plain file"), "{}", pipe.refusal());
        let socket = Scratch(std::env::temp_dir().join(format!("pulse-echo-{}-socket", std::process::id())));
        let _listening = std::os::unix::net::UnixListener::bind(&socket.0).expect("a socket");
        assert!(socket.refusal().contains("a socket is no plain file"), "{}", socket.refusal());
        for device in ["/dev/zero", "/dev/null"] {
            let refusal = Config::load(Path::new(device)).expect_err("a device").to_string();
            assert!(refusal.contains("is no plain file"), "{refusal}");
        }
    }

    #[test]
    fn what_comes_through_a_pipe_is_read_up_to_the_same_size() {
        let path = Path::new("/dev/stdin");
        assert_eq!(Config::read(DEFAULT_FILE.as_bytes(), path), Ok(Config::built_in()));
        let refusal = Config::read(std::io::repeat(b'#'), path).expect_err("it has no end").to_string();
        assert!(refusal.contains("allowed: up to 1 MiB"), "{refusal}");
    }

    #[test]
    fn bytes_that_are_no_text_are_told_where_they_are() {
        let file = Scratch::holding("latin1", b"[log]\n# gr\xfcn\n");
        assert!(file.refusal().contains(":2:5: given bytes that are not UTF-8"), "{}", file.refusal());
    }

    #[test]
    fn utf_16_is_recognized() {
        let file = Scratch::holding("utf16", b"\xff\xfe[\0l\0o\0g\0]\0");
        assert!(file.refusal().contains("save it as UTF-8"), "{}", file.refusal());
    }

    #[test]
    fn a_huge_file_is_refused_unread() {
        let file = Scratch::holding("huge", &vec![b'#'; 1024 * 1024 + 1]);
        assert!(file.refusal().contains("allowed: up to 1 MiB"), "{}", file.refusal());
        let blanks = " ".repeat(1024 * 1024 - DEFAULT_FILE.len());
        let file = Scratch::holding("large", (DEFAULT_FILE.to_owned() + &blanks).as_bytes());
        assert_eq!(Config::load(&file.0), Ok(Config::built_in()));
    }
}

mod hostile {
    use super::*;

    #[test]
    fn deep_and_long_texts_are_refused_without_harm() {
        let dotted = "a.".repeat(79) + "a";
        let texts = [
            "[".repeat(100_000),
            "\n[".repeat(100_000),
            format!("a = {}", "[".repeat(100_000)),
            "a = {".repeat(100_000),
            format!("{} = 1", "a.".repeat(500_000)),
            format!("[{}]", "a.".repeat(500_000)),
            format!("[{dotted}]\n{dotted} = {}1", format!("{{ {dotted} = ").repeat(20)),
            format!("{} = 1", "k".repeat(1_000_000)),
            format!("[deadlines]\nread = \"{}\"", "9".repeat(1_000_000)),
            format!("[server]\nworkers = {}", "9".repeat(1_000_000)),
            (0..20_000).map(|number| format!("key_{number} = 1\n")).collect(),
        ];
        for text in texts {
            let refusal = refusal(&text);
            let longest = refusal.lines().map(str::len).max();
            assert!(longest < Some(500), "{longest:?}");
        }
    }

    /// The processor time that an answer takes, which other work on the machine hardly changes.
    fn time_to_answer(text: &str) -> Duration {
        let processor_time = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("a clock"));
        let once = || {
            let start = processor_time();
            let _ = Config::parse(text, "FILE").map_err(|problems| problems.to_string());
            processor_time() - start
        };
        once().min(once())
    }

    /// About `bytes` of one thing over and over, numbered where there is a `#`.
    fn repeated(bytes: usize, before: &str, unit: &str) -> String {
        let mut text = String::from(before);
        for number in 0.. {
            if text.len() >= bytes {
                break;
            }
            text.push_str(&unit.replace('#', &number.to_string()));
        }
        text
    }

    #[test]
    fn a_text_four_times_as_long_takes_about_four_times_as_long() {
        let listener = "{name=\"a#\",address=\"127.0.0.1:0\",protocol=\"raw\"},";
        let one_address = "{name=\"a\",address=\"127.0.0.1:7\",protocol=\"raw\"},";
        let table = [
            ("", "="),
            ("", "["),
            ("", "{"),
            ("", "\""),
            ("", "a."),
            ("", "\n"),
            ("", "\n="),
            ("", "\n["),
            ("a = ", "["),
            ("", "a={"),
            ("a = [", "\na"),
            ("", "a = 1\n"),
            ("", "key_# = 1\n"),
            ("", "[section_#]\n"),
            ("", "[[listener]]\n"),
            ("", "[listener.deadlines]\n[[listener]]\n"),
            ("server = {", "key_#=1,"),
            ("deadlines = {", "read=1,"),
            ("listener = [", "{},"),
            ("listener = [", "7,"),
            ("listener = [", listener),
            ("listener = [", one_address),
            ("deadlines.read = \"1s\"\nlistener = [", listener),
            ("\"", "k"),
            ("deadlines.read = \"", "1s "),
            ("deadlines.read = ", "9"),
        ];
        for (before, unit) in table {
            let (quarter, whole) = (12_500, 50_000);
            let close = if before.starts_with("listener = [") { "]" } else { "}" };
            let [quarter, whole] = [quarter, whole].map(|bytes| repeated(bytes, before, unit) + close);
            let (short, long) = (time_to_answer(&quarter), time_to_answer(&whole));
            // Halfway, by factors, to the sixteen times of what is quadratic.
            assert!(
                long < short * 8 + Duration::from_millis(5),
                "{before:?} and many {unit:?}: {short:?}, four times as many: {long:?}"
            );
        }
    }

    #[test]
    fn a_thousand_problems_are_counted_and_the_first_are_shown() {
        let text: String = (0..1_500).map(|number| format!("key_{number} = 1\n")).collect();
        let refusal = refusal(&(text + GOOD_LISTENER));
        let lines: Vec<&str> = refusal.lines().collect();
        assert_eq!(lines.len(), 22, "{refusal}");
        assert!(lines[19].starts_with("FILE:20:1: key_19: unknown key"), "{refusal}");
        assert_eq!(lines[20..], ["… and 1480 more problems", "1500 problems in FILE"]);
    }

    #[test]
    fn what_is_not_toml_is_counted_too() {
        let refusal = refusal(&"x\n".repeat(1_500));
        let lines: Vec<&str> = refusal.lines().collect();
        assert!(lines[38].starts_with("FILE:20:2: not TOML: key with no value"), "{refusal}");
        assert_eq!(lines[40..], ["… and 1480 more problems", "1500 problems in FILE"]);
    }

    #[test]
    fn more_listeners_than_any_machine_has_are_refused_unread() {
        assert_eq!(
            refusal(&format!("listener = [{}]", "{},".repeat(20_001))),
            "FILE:1:12: listener: given 20001 sections, allowed: up to 20000\n1 problem in FILE"
        );
    }

    #[test]
    fn long_words_are_shortened_in_every_message() {
        let long = "w".repeat(100);
        let texts = [
            format!("{long} = 1"),
            format!("{long} = 1\n{long} = 1"),
            long.clone(),
            format!("server.{long}.{long} = 1"),
            format!("log.level = \"{long}\""),
            format!("log.level = {long}"),
            format!("deadlines.read = \"{long}\""),
            format!("server.workers = {}", "9".repeat(100)),
            format!("listener = [ {{ name = \"{long}\", address = \"{long}\" }} ]"),
        ];
        for text in texts {
            let refusal = refusal(&text);
            assert!(!refusal.contains(&"w".repeat(65)) && !refusal.contains(&"9".repeat(65)), "{refusal}");
            assert!(refusal.contains('…'), "{refusal}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Config::parse(&text, "FILE").map_err(|problems| problems.to_string());
        }

        #[test]
        fn a_damaged_file_is_read_or_refused(
            at in 0..DEFAULT_FILE.len(),
            cut in 0..40_usize,
            patch in "[\\[\\]{}\"'=.#,a-z0-9\n\r ]{0,4}",
        ) {
            let resume = (at + cut).min(DEFAULT_FILE.len());
            let text = [&DEFAULT_FILE[..at], &patch, &DEFAULT_FILE[resume..]].concat();
            match Config::parse(&text, "FILE") {
                Ok(config) => prop_assert_eq!(Config::parse(&config.to_string(), "printed"), Ok(config)),
                Err(problems) => prop_assert!(problems.iter().count() > 0),
            }
        }
    }
}
