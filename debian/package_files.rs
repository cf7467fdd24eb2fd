//! Makes what a package has beside the binary, from the command line's own description: man pages and completions, in
//! `target/package/`.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};
use pulse_echo::cli::Cli;

/// What the man page says beyond the options: titles, and then terms and what they mean.
const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT",
                "Stop: accept no more, echo what was received, let the peers finish for server.shutdown_grace, \
                 close what is left. The same again stops at once.",
            ),
            ("SIGHUP", "Reload the configuration file, wholly or, on any error, not at all."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Clean stop."),
            ("1", "Failure while running."),
            ("2", "Wrong usage."),
            ("69", "An address could not be bound."),
            ("78", "Bad configuration, or sockets of systemd that do not fit it."),
        ],
    ),
    (
        "FILES",
        &[
            (
                "/etc/pulse-echo/pulse-echo.toml",
                "The configuration that the systemd unit uses. It is annotated; pulse-echo default-config prints it as \
                 it was shipped.",
            ),
            ("/usr/share/doc/pulse-echo/", "How to operate it, and every close reason explained."),
        ],
    ),
    ("SEE ALSO", &[("systemctl(1), journalctl(1), systemd.socket(5)", "")]),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/package");
    fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(command(), &folder)?;
    add_sections(&folder.join("pulse-echo.1"))?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command(), "pulse-echo", &folder)?;
    }
    println!("{}", folder.display());
    Ok(())
}

fn command() -> Command {
    Cli::command()
}

fn add_sections(page: &Path) -> Result<(), Box<dyn Error>> {
    let mut page: File = OpenOptions::new().append(true).open(page)?;
    for (title, entries) in SECTIONS {
        let mut section = Roff::new();
        section.control("SH", [title]);
        for (term, meaning) in entries {
            section.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
        section.to_writer(&mut page)?;
    }
    Ok(())
}
