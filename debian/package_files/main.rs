//! Makes what a package has beside the binary: manual pages and completions, in `target/package/`. Their words are those of
//! the command line and of the annotated configuration file.

mod configuration_page;
mod daemon_page;
mod page;

use std::error::Error;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use pulse_echo::cli::Cli;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/package");
    if folder.exists() {
        fs::remove_dir_all(&folder)?; // what another version had more is not packed
    }
    fs::create_dir_all(&folder)?;
    let mut command = Cli::command();
    command.build();
    fs::write(folder.join("pulse-echo.8"), daemon_page::of(&command).to_roff())?;
    fs::write(
        folder.join("pulse-echo.toml.5"),
        configuration_page::of(pulse_echo::config::DEFAULT_FILE).to_roff(),
    )?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "pulse-echo", &folder)?;
    }
    println!("{}", folder.display());
    Ok(())
}
