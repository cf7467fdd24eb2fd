//! Who is measured, each as a process of its own on the server's core.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pulse_echo::core::Protocol;

use crate::FOLDER;
use crate::machine::Cores;
use crate::measure::now;

/// A program that echoes.
#[derive(Debug)]
pub struct Contender {
    /// As in the tables.
    pub name: String,
    kind: Kind,
    binary: PathBuf,
}

/// As HAProxy sends it (`send-proxy-v2`).
const HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x1f\x90\x00\x07";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    PulseEcho(Protocol),
    /// pulse-echo, line, where every connection begins with [`HEADER`].
    BehindProxy,
    Floor,
    PlainTokio,
    Go,
}

impl Contender {
    /// All that can be had here; without a Go toolchain there is no Go program. `builds` are more builds of pulse-echo.
    pub fn all(builds: &[PathBuf]) -> anyhow::Result<Vec<Contender>> {
        let mut all = Vec::new();
        let mut add = |name: String, kind, binary: &Path| {
            all.push(Contender { name, kind, binary: binary.to_owned() });
        };
        let own = PathBuf::from(env!("CARGO_BIN_EXE_pulse-echo"));
        let this = std::env::current_exe()?;
        add("bare epoll".to_owned(), Kind::Floor, &this);
        for build in std::iter::once(&own).chain(builds) {
            let name = build.file_name().unwrap_or_default().display();
            add(format!("{name}, raw"), Kind::PulseEcho(Protocol::Raw), build);
            add(format!("{name}, line"), Kind::PulseEcho(Protocol::Line), build);
        }
        add("plain tokio".to_owned(), Kind::PlainTokio, &this);
        match build_go() {
            Ok(binary) => add("Go".to_owned(), Kind::Go, &binary),
            Err(error) => eprintln!("without the Go program: {error:#}"),
        }
        Ok(all)
    }

    /// What a PROXY header adds: the same server with one before every connection.
    pub fn behind_proxy() -> Contender {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_pulse-echo"));
        Contender { name: "pulse-echo, line, PROXY".to_owned(), kind: Kind::BehindProxy, binary }
    }

    /// What every connection to it begins with.
    pub fn header(&self) -> &'static [u8] {
        if self.kind == Kind::BehindProxy { HEADER } else { b"" }
    }

    /// Whether its name contains one of these words, if there are any. The floor is always wanted.
    pub fn is_wanted(&self, words: &[String]) -> bool {
        self.is_floor() || words.is_empty() || words.iter().any(|word| self.name.contains(word))
    }

    /// Whether it is what the others are compared with.
    pub fn is_floor(&self) -> bool {
        self.kind == Kind::Floor
    }

    /// Whether it sends `PING` lines.
    pub fn probes(&self) -> bool {
        !matches!(self.kind, Kind::Floor | Kind::PulseEcho(Protocol::Raw))
    }

    /// Whether it is a pulse-echo that sends `PING` lines.
    pub fn is_pulse_echo_line(&self) -> bool {
        self.kind == Kind::PulseEcho(Protocol::Line)
    }

    /// Starts it; it probes whoever is silent for `interval`, and logs to a file.
    pub fn start(&self, cores: &Cores, interval: Duration) -> anyhow::Result<Server> {
        self.start_with_log(cores, interval, File::create(self.log())?)
    }

    /// What it wrote into that file.
    pub fn read_log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.log())?)
    }

    fn log(&self) -> PathBuf {
        Path::new(FOLDER).join(format!("{}.log", self.name))
    }

    /// Starts it; it probes whoever is silent for `interval`.
    pub fn start_with_log(
        &self,
        cores: &Cores,
        interval: Duration,
        log: impl Into<Stdio>,
    ) -> anyhow::Result<Server> {
        let address = free_address()?;
        let child = self.spawn(self.command(address, interval)?, cores, log)?;
        let mut server = Server { child, address };
        server.await_readiness().with_context(|| self.name.clone())?;
        Ok(server)
    }

    /// Starts it, with its log in a file, by the command that `adapt` makes of its own.
    pub fn start_as(
        &self,
        cores: &Cores,
        interval: Duration,
        adapt: impl FnOnce(Command) -> Command,
    ) -> anyhow::Result<Server> {
        let address = free_address()?;
        let command = adapt(self.command(address, interval)?);
        let child = self.spawn(command, cores, File::create(self.log())?)?;
        let mut server = Server { child, address };
        server.await_readiness().with_context(|| self.name.clone())?;
        Ok(server)
    }

    fn spawn(&self, mut command: Command, cores: &Cores, log: impl Into<Stdio>) -> anyhow::Result<Child> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = cores.on_server_core(|| command.spawn())?;
        child.with_context(|| format!("cannot start {}", self.name))
    }

    fn command(&self, address: SocketAddr, interval: Duration) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.binary);
        let interval = format!("{}ms", interval.as_millis());
        match self.kind {
            Kind::Floor => command.args(["--serve", "floor", "--address", &address.to_string()]),
            Kind::PlainTokio => {
                command.args(["--serve", "plain-tokio", "--interval", &interval]);
                command.args(["--address", &address.to_string()])
            }
            Kind::Go => command.args(["-interval", &interval, "-address", &address.to_string()]),
            Kind::PulseEcho(protocol) => serve(&mut command, configuration(address, protocol, &interval))?,
            Kind::BehindProxy => {
                let configuration = configuration(address, Protocol::Line, &interval);
                serve(&mut command, configuration + "proxy_protocol = \"required\"\n")?
            }
        };
        Ok(command)
    }
}

fn serve(command: &mut Command, configuration: String) -> anyhow::Result<&mut Command> {
    let file = format!("{FOLDER}/pulse-echo.toml");
    fs::write(&file, configuration)?;
    Ok(command.args(["serve", "--log-format", "json", "--config", &file]))
}

/// Everything on that an operator would have on; one event loop, as there is one core.
fn configuration(address: SocketAddr, protocol: Protocol, interval: &str) -> String {
    format!(
        "server.workers = 1\n\
         heartbeat = {{ interval = \"{interval}\", timeout = \"5s\", max_missed = 3 }}\n\
         deadlines = {{ read = \"60s\", write = \"10s\", lifetime = \"1h\" }}\n\
         [[listener]]\n\
         name = \"bench\"\n\
         address = \"{address}\"\n\
         protocol = \"{}\"\n",
        protocol.name()
    )
}

/// Free at this moment; nobody else is expected to take it before the server does.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn build_go() -> anyhow::Result<PathBuf> {
    let binary = Path::new(FOLDER).join("textbook");
    let mut go = Command::new("go");
    go.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/side_by_side/go"));
    go.env("GOTOOLCHAIN", "local").arg("build").arg("-o").arg(&binary).arg(".");
    let built = go.status().context("no Go toolchain found in PATH")?;
    ensure!(built.success(), "go build failed");
    Ok(binary)
}

/// A running server. It is killed at the end of its scope.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Its process.
    pub fn process(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Whether its process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Its process has ended: starts the next one for the same address and log, by the command that `adapt` makes of its own.
    pub fn become_next(
        &mut self,
        contender: &Contender,
        cores: &Cores,
        interval: Duration,
        adapt: impl FnOnce(Command) -> Command,
    ) -> anyhow::Result<()> {
        let command = adapt(contender.command(self.address, interval)?);
        let log = File::options().append(true).open(contender.log())?;
        self.child = contender.spawn(command, cores, log)?;
        Ok(())
    }

    /// Stops it in good order and waits for its end.
    pub fn stop(mut self) -> anyhow::Result<()> {
        kill(self.process(), Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }

    fn await_readiness(&mut self) -> anyhow::Result<()> {
        let patience_ends_at = now() + Duration::from_secs(10);
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended at once: {status}");
            }
            ensure!(now() < patience_ends_at, "does not listen");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails only where the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
