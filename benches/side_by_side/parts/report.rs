//! How fast `pulse-echo report` reads logs, beside programs that only look for a word, or count one field.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;

use crate::measure::{median, now};
use crate::report::Table;
use crate::{Bench, FOLDER};

/// How a log is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Text,
    Journal,
}

/// One row per format, and the others beside JSON.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let closes = bench.quick_or(100_000, 1_000_000);
    let rounds = bench.quick_or(3, 9);
    let program = env!("CARGO_BIN_EXE_pulse-echo");
    let mut rows = Vec::new();
    let json = write(Form::Json, closes)?;
    rows.push(row(bench, "report, JSON", &[program, "report"], &json, rounds)?);
    rows.push(row(bench, "grep -c peer_reset, JSON", &["grep", "-c", "peer_reset"], &json, rounds)?);
    let jq = ["jq", "-n", "reduce (inputs | select(.reason == \"peer_reset\")) as $record (0; . + 1)"];
    if Command::new("jq").arg("--version").stdout(Stdio::null()).status().is_ok() {
        rows.push(row(bench, "jq, one count, JSON", &jq, &json, 1)?);
    }
    fs::remove_file(json)?;
    for (name, form) in [("report, text", Form::Text), ("report, journalctl -o json", Form::Journal)] {
        let log = write(form, closes)?;
        rows.push(row(bench, name, &[program, "report"], &log, rounds)?);
        fs::remove_file(log)?;
    }
    Ok(Table {
        title: "Reading logs back",
        note: format!(
            "`pulse-echo report` over {closes} close records from 65,000 peers, on one core, the file in the page cache; \
             beside it what counts lines with a word in them, and what counts one value. Medians of {rounds} runs (of jq one)."
        ),
        columns: vec!["program, log", "MB", "time", "MB/s"],
        rows,
    })
}

fn row(
    bench: &Bench,
    name: &str,
    command: &[&str],
    log: &PathBuf,
    rounds: usize,
) -> anyhow::Result<Vec<String>> {
    let bytes = fs::metadata(log)?.len() as f64;
    fs::read(log)?; // into the page cache
    let mut took = Vec::new();
    for _ in 0..rounds {
        let (program, arguments) = command.split_first().expect("a program");
        let begin = now();
        // Read its output: into /dev/null grep would stop at the first line it finds.
        let output =
            bench.cores.on_server_core(|| Command::new(program).args(arguments).arg(log).output())??;
        took.push(begin.elapsed().as_secs_f64());
        ensure!(output.status.success(), "{command:?}: {}", output.status);
    }
    let seconds = median(took);
    Ok(vec![
        name.to_owned(),
        format!("{:.0}", bytes / 1e6),
        format!("{:.2?}", Duration::from_micros((seconds * 1e6) as u64)),
        format!("{:.0}", bytes / seconds / 1e6),
    ])
}

/// Writes a log of an hour: three closes in four are orderly, the others resets and judged silences.
fn write(form: Form, closes: u64) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(FOLDER).join("report.log");
    let mut file = BufWriter::new(File::create(&path)?);
    let mut random = fastrand::Rng::with_seed(1);
    let mut line = String::new();
    for conn in 0..closes {
        let time = jiff::Timestamp::from_microsecond(
            1_795_550_400_000_000 + (conn * 3_600_000_000 / closes) as i64,
        )?;
        line.clear();
        record(&mut line, form, time, conn, &mut random)?;
        file.write_all(line.as_bytes())?;
    }
    file.into_inner()?;
    Ok(path)
}

fn record(
    line: &mut String,
    form: Form,
    time: jiff::Timestamp,
    conn: u64,
    random: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    let peer = format!("10.1.{}.{}:{}", random.u8(..), random.u8(..), random.u16(1024..));
    let (level, reason, tail) = match conn % 8 {
        0 => ("WARN", "peer_reset", [("errno", "ECONNRESET"), ("op", "read")].as_slice()),
        1 => ("WARN", "heartbeat_timeout", EVIDENCE),
        _ => ("INFO", "peer_closed", [].as_slice()),
    };
    let message =
        format!("{peer}: the peer is gone, and this sentence says how that was in about so many words");
    let numbers = [conn + 1, random.u64(..4_000_000), random.u64(..60_000), random.u64(10..5_000)];
    let [conn, lifetime, idle, bytes] = numbers.map(|number| number.to_string());
    let mut fields = vec![("event", "close"), ("reason", reason)];
    if reason == "heartbeat_timeout" {
        fields.push(("verdict", "peer_hung"));
    }
    fields.extend([("listener", "line"), ("peer", &peer), ("local", "10.0.0.1:7007"), ("conn", &conn)]);
    fields.extend([
        ("lifetime_ms", lifetime.as_str()),
        ("idle_ms", &idle),
        ("rx_bytes", &bytes),
        ("tx_bytes", &bytes),
    ]);
    fields.extend([
        ("unechoed_bytes", "0"),
        ("probes_sent", "4"),
        ("probes_answered", "4"),
        ("probes_missed", "0"),
        ("rtt_us", "81"),
    ]);
    fields.extend(tail);
    match form {
        Form::Json => {
            write!(line, "{{\"timestamp\":\"{time:.6}\",\"level\":\"{level}\",\"message\":\"{message}\"")?;
            for (name, value) in fields {
                let quote = if value.bytes().all(|byte| byte.is_ascii_digit()) { "" } else { "\"" };
                write!(line, ",\"{name}\":{quote}{value}{quote}")?;
            }
            line.push_str("}\n");
        }
        Form::Text => {
            write!(line, "{time:.6} {level:>5} {message}")?;
            fields.iter().try_for_each(|(name, value)| write!(line, " {name}={value}"))?;
            line.push('\n');
        }
        Form::Journal => {
            let micros = time.as_microsecond();
            write!(
                line,
                "{{\"__REALTIME_TIMESTAMP\":\"{micros}\",\"_HOSTNAME\":\"echo1\",\"_SYSTEMD_UNIT\":\"pulse-echo.service\",\"PRIORITY\":\"6\",\"MESSAGE\":\"{message}\""
            )?;
            for (name, value) in fields {
                write!(line, ",\"PULSE_ECHO_{}\":\"{value}\"", name.to_uppercase())?;
            }
            line.push_str("}\n");
        }
    }
    Ok(())
}

const EVIDENCE: &[(&str, &str)] = &[
    ("tcp_unacked", "0"),
    ("tcp_retransmits", "0"),
    ("tcp_notsent_bytes", "0"),
    ("tcp_snd_wnd", "65536"),
    ("tcp_probes", "0"),
    ("tcp_last_ack_ms", "5004"),
    ("tcp_rtt_us", "39"),
    ("tcp_total_retrans", "0"),
    ("tcp_data_segs_out", "5"),
    ("tcp_last_data_sent_ms", "5004"),
    ("tcp_rto_us", "204000"),
    ("tcp_rmem_bytes", "0"),
    ("probe_acked_ms", "15002"),
];
