//! Runs of the daemon, their totals, and whether these agree with the close records.

use serde::Serialize;

use super::record::Record;

/// The figures of a `summary`.
#[derive(Debug, Clone, Copy, Default)]
struct Summary {
    accepted: u64,
    closed: u64,
    refused: u64,
    open: u64,
    null: u64,
    /// `None`: the summary does not tell.
    null_only_counted: Option<u64>,
    log_lost: u64,
}

/// One life of the daemon; a restart that keeps its connections goes on with it.
#[derive(Debug, Clone, Default)]
struct Run {
    /// The figures at its beginning, or of the first summary in the log where that begins later.
    base: Option<Summary>,
    last: Summary,
    /// Close records since `base`, and those of them before `last`.
    closes: Closes,
    closes_at_last: Closes,
    lowest_conn: u64,
    highest_conn: u64,
    numbered: u64,
    opens: u64,
}

/// Close records.
#[derive(Debug, Clone, Copy, Default)]
struct Closes {
    all: u64,
    null: u64,
}

/// How far the connections are on their way from one program to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Passing {
    #[default]
    No,
    /// `handover`: the next start takes them over.
    Announced,
    /// It has started, and did not say yet whether it took them over.
    Started,
}

/// All runs in the log.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    current: Run,
    passing: Passing,
    is_begun: bool,
    totals: Totals,
}

/// The totals of the period. What no summary tells is `None`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    pub accepted: Option<u64>,
    pub closed: Option<u64>,
    /// At the last summary.
    pub open: Option<u64>,
    pub refused: Option<u64>,
    /// Peers that came and went without a byte.
    pub null_connections: Option<u64>,
    /// Those of them without a close record.
    pub null_only_counted: Option<u64>,
    pub log_lost: Option<u64>,
    /// All of the period, whatever the filters.
    pub close_records: u64,
    /// Close records that the summaries want and the log does not have; negative: that it has beyond them.
    pub missing_close_records: Option<i64>,
    /// Numbers of connections between the lowest and the highest of a run that have no close record.
    pub unclosed_numbers: u64,
    /// `open` records beyond the close records.
    pub opens_without_close: u64,
    /// Starts of the daemon.
    pub starts: u64,
    /// Daemons whose logs these are.
    pub daemons: u64,
    pub carried: Carried,
}

/// Connections that went on in another program.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Carried {
    /// Programs that took over from the one before.
    pub times: u64,
    pub connections: u64,
    pub lost: u64,
    pub longest_pause_ms: u64,
}

impl Runs {
    /// Returns whether it begins with nothing, as far as can be told by then.
    pub fn start(&mut self) -> bool {
        self.totals.starts += 1;
        let begins = self.passing != Passing::Announced;
        if begins {
            self.begin_run();
        } else {
            self.passing = Passing::Started;
        }
        begins
    }

    pub fn hand_over(&mut self) {
        self.passing = Passing::Announced;
    }

    /// The figures go on with the connections. Where nobody announced them, the log begins later, and it is not known with which.
    pub fn adopt(&mut self, record: &Record<'_>) {
        if std::mem::take(&mut self.passing) == Passing::No {
            self.current = Run::default();
        }
        let carried = &mut self.totals.carried;
        carried.times += 1;
        carried.connections = carried.connections.saturating_add(record.connections.unwrap_or(0));
        carried.lost = carried.lost.saturating_add(record.lost.unwrap_or(0));
        carried.longest_pause_ms = carried.longest_pause_ms.max(record.pause_ms.unwrap_or(0));
    }

    /// Nothing was handed over. Who has started for it by then begins with nothing.
    pub fn fail(&mut self) {
        if std::mem::take(&mut self.passing) == Passing::Started {
            self.begin_run();
        }
    }

    fn begin_run(&mut self) {
        self.end_run();
        self.current.base = Some(Summary::default());
    }

    pub fn open(&mut self) {
        self.current.opens += 1;
    }

    #[inline]
    pub fn close(&mut self, record: &Record<'_>) {
        let run = &mut self.current;
        self.totals.close_records += 1;
        run.closes.all += 1;
        run.closes.null += u64::from(record.is_null());
        if let Some(conn) = record.conn {
            run.lowest_conn = if run.numbered == 0 { conn } else { run.lowest_conn.min(conn) };
            run.highest_conn = run.highest_conn.max(conn);
            run.numbered += 1;
        }
    }

    pub fn summary(&mut self, record: &Record<'_>) {
        let (Some(accepted), Some(closed)) = (record.accepted, record.closed) else {
            return;
        };
        let summary = Summary {
            accepted,
            closed,
            refused: record.refused.unwrap_or(0),
            open: record.open.unwrap_or(accepted.saturating_sub(closed)),
            null: record.null_connections.unwrap_or(0),
            null_only_counted: record.null_only_counted,
            log_lost: record.log_lost.unwrap_or(0),
        };
        let run = &mut self.current;
        if run.base.is_none() {
            run.base = Some(summary);
            run.closes = Closes::default();
        }
        self.is_begun = true;
        run.last = summary;
        run.closes_at_last = run.closes;
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.current);
        if run.numbered > 0 {
            let numbers = (run.highest_conn - run.lowest_conn).saturating_add(1);
            let unclosed = numbers.saturating_sub(run.numbered);
            self.totals.unclosed_numbers = self.totals.unclosed_numbers.saturating_add(unclosed);
        }
        if run.opens > 0 {
            self.totals.opens_without_close += run.opens.saturating_sub(run.numbered);
        }
        let Some(base) = run.base.filter(|_| run.last.accepted > 0 || self.is_begun) else {
            return;
        };
        let (last, totals) = (run.last, &mut self.totals);
        let since = |last: u64, base: u64| last.saturating_sub(base);
        let closes = run.closes_at_last;
        let [accepted, closed, refused, null, lost] = [
            since(last.accepted, base.accepted),
            since(last.closed, base.closed),
            since(last.refused, base.refused),
            since(last.null, base.null),
            since(last.log_lost, base.log_lost),
        ];
        add(&mut totals.accepted, accepted);
        add(&mut totals.closed, closed);
        add(&mut totals.refused, refused);
        let null_only_counted = match (last.null_only_counted, base.null_only_counted) {
            (Some(last), base) => since(last, base.unwrap_or(0)),
            (None, _) => since(null, closes.null),
        };
        add(&mut totals.null_connections, null);
        add(&mut totals.null_only_counted, null_only_counted);
        add(&mut totals.log_lost, lost);
        totals.open = Some(last.open);
        let told = closes.all.saturating_add(null_only_counted).saturating_add(lost);
        let missing = totals.missing_close_records.unwrap_or(0);
        totals.missing_close_records =
            Some(missing.saturating_add(closed as i64).saturating_sub(told as i64));
        self.is_begun = false;
    }

    pub fn finish(mut self) -> Totals {
        self.end_run();
        self.totals.daemons = 1;
        self.totals
    }
}

fn add(total: &mut Option<u64>, more: u64) {
    *total = Some(total.unwrap_or(0).saturating_add(more));
}

impl Totals {
    /// Of these daemons and of those.
    pub fn with(mut self, other: Totals) -> Totals {
        let Totals {
            accepted,
            closed,
            open,
            refused,
            null_connections,
            null_only_counted,
            log_lost,
            close_records,
            missing_close_records,
            unclosed_numbers,
            opens_without_close,
            starts,
            daemons,
            carried,
        } = other;
        let sums = [
            (&mut self.accepted, accepted),
            (&mut self.closed, closed),
            (&mut self.open, open),
            (&mut self.refused, refused),
            (&mut self.null_connections, null_connections),
            (&mut self.null_only_counted, null_only_counted),
            (&mut self.log_lost, log_lost),
        ];
        sums.into_iter().for_each(|(sum, more)| more.into_iter().for_each(|more| add(sum, more)));
        let missing = self.missing_close_records.into_iter().chain(missing_close_records);
        self.missing_close_records = missing.reduce(i64::saturating_add);
        let sums = [
            (&mut self.close_records, close_records),
            (&mut self.unclosed_numbers, unclosed_numbers),
            (&mut self.opens_without_close, opens_without_close),
            (&mut self.starts, starts),
            (&mut self.daemons, daemons),
            (&mut self.carried.times, carried.times),
            (&mut self.carried.connections, carried.connections),
            (&mut self.carried.lost, carried.lost),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum = sum.saturating_add(more));
        self.carried.longest_pause_ms = self.carried.longest_pause_ms.max(carried.longest_pause_ms);
        self
    }
}
