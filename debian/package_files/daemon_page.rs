//! pulse-echo(8): the commands, as the command line knows them, and how the daemon behaves.

use clap::{Arg, Command};
use roff::{Inline, bold, italic, roman};

use crate::page::Page;

const DESCRIPTION: [&str; 2] = [
    "A server for long-lived TCP connections. It echoes what it receives, probes every connection with heartbeats, \
     holds reads and writes to deadlines, and whenever a connection ends, its log says why, in one record with the \
     evidence.",
    "FILE is a configuration file, see pulse-echo.toml(5).",
];

/// Headings, and then terms and what they mean.
const SECTIONS: [(&str, &[(&str, &str)]); 5] = [
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT, SIGQUIT",
                "Stop: accept no more, echo what was received, let the peers finish for server.shutdown_grace, \
                 close what is left. The same again stops at once.",
            ),
            ("SIGHUP", "Reload the configuration file, wholly or, on any error, not at all."),
            ("SIGUSR1", "Write a summary record now, at level info."),
            (
                "SIGUSR2",
                "Let the program at the path of this one take over in this process; connections stay open. Where it \
                 cannot, a handover_failed record says why.",
            ),
            (
                "SIGRTMIN+1",
                "Leave the connections with systemd for the next program, and end: the unit sends it for systemctl restart.",
            ),
        ],
    ),
    (
        "LOG",
        &[
            (
                "Where",
                "To the journal under systemd, else to standard error, as text or as JSON: log.format. Records of the \
                 journal have their fields under PULSE_ECHO_, as in journalctl PULSE_ECHO_REASON=heartbeat_timeout.",
            ),
            (
                "What",
                "One close record per connection: its reason, and where a silent peer was given up, the verdict whose \
                 silence it was. pulse-echo explain says what each word means and what to do. A summary record has the \
                 totals.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Clean stop."),
            (
                "1",
                "Failure while running; ping: not everything came back; idle-limit: nothing was found out.",
            ),
            ("2", "Wrong usage."),
            ("65", "report: no record understood."),
            ("69", "An address could not be bound, or not be reached."),
            ("78", "Bad configuration, or sockets of systemd that do not fit it."),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("NOTIFY_SOCKET, WATCHDOG_USEC", "Of the service manager, see sd_notify(3)."),
            (
                "LISTEN_FDS, LISTEN_FDNAMES",
                "Sockets that it passes, by the names of the listeners, see sd_listen_fds(3).",
            ),
            (
                "NO_COLOR, TERM",
                "Text on a terminal is coloured, but where NO_COLOR is set or the terminal is dumb.",
            ),
        ],
    ),
    (
        "FILES",
        &[
            (
                "/etc/pulse-echo/pulse-echo.toml",
                "The configuration that the systemd unit uses, with every setting explained.",
            ),
            ("/usr/share/doc/pulse-echo/", "How to operate it, and every close reason explained."),
        ],
    ),
];

/// The page.
pub fn of(command: &Command) -> Page {
    let mut page = Page::new("pulse-echo", "8", env!("CARGO_PKG_DESCRIPTION"));
    let commands = || command.get_subcommands().filter(|command| command.get_name() != "help");
    page.section("SYNOPSIS");
    for (index, command) in commands().enumerate() {
        if index > 0 {
            page.line_break();
        }
        page.text(synopsis(command));
    }
    page.section("DESCRIPTION").text([roman(DESCRIPTION[0])]).paragraph(DESCRIPTION[1]);
    page.section("COMMANDS");
    for command in commands() {
        add_command(&mut page, command);
    }
    for (heading, terms) in SECTIONS {
        page.section(heading);
        terms.iter().for_each(|(term, meaning)| {
            page.term(term, meaning);
        });
    }
    page.section("SEE ALSO")
        .text([roman("pulse-echo.toml(5), systemctl(1), journalctl(1), systemd.socket(5)")]);
    page
}

fn add_command(page: &mut Page, command: &Command) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.subsection(command.get_name()).text([roman(format!("{about}."))]);
    for argument in own_arguments(command) {
        page.term(&usage(argument), &meaning(argument));
    }
}

/// `pulse-echo serve [--config FILE]`
fn synopsis(command: &Command) -> Vec<Inline> {
    let name = [bold(format!("pulse-echo {}", command.get_name()))];
    let arguments = own_arguments(command).map(|argument| italic(format!(" [{}]", usage(argument))));
    name.into_iter().chain(arguments).collect()
}

fn own_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
}

/// `--config FILE`
fn usage(argument: &Arg) -> String {
    let long = argument.get_long().map(|long| format!("--{long}"));
    let values = argument.get_value_names().filter(|_| argument.get_action().takes_values());
    let value = values.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    long.into_iter().chain(value).collect::<Vec<_>>().join(" ")
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values = argument.get_possible_values();
    if argument.is_hide_possible_values_set() || values.is_empty() || !argument.get_action().takes_values() {
        return format!("{help}.");
    }
    let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
    format!("{help}: {}.", values.join(", "))
}
