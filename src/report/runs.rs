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
    log_lost: u64,
}

/// One life of the daemon; a restart that keeps its connections goes on with it.
#[derive(Debug, Default)]
struct Run {
    /// The figures at its beginning, or of the first summary in the log where that begins later.
    base: Option<Summary>,
    last: Summary,
    /// Close records since `base`, and those of them before `last`.
    closes: u64,
    closes_at_last: u64,
    lowest_conn: u64,
    highest_conn: u64,
    numbered: u64,
    opens: u64,
}

/// All runs in the log.
#[derive(Debug, Default)]
pub struct Runs {
    current: Run,
    /// The next start takes the connections over.
    is_handing_over: bool,
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
    /// Peers that came and went without a byte and were only counted.
    pub null_connections: Option<u64>,
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
}

impl Runs {
    pub fn start(&mut self) {
        self.totals.starts += 1;
        if std::mem::take(&mut self.is_handing_over) {
            return;
        }
        self.end_run();
        self.current.base = Some(Summary::default());
    }

    pub fn hand_over(&mut self) {
        self.is_handing_over = true;
    }

    pub fn keep(&mut self) {
        self.is_handing_over = false;
    }

    pub fn open(&mut self) {
        self.current.opens += 1;
    }

    #[inline]
    pub fn close(&mut self, conn: Option<u64>) {
        let run = &mut self.current;
        self.totals.close_records += 1;
        run.closes += 1;
        if let Some(conn) = conn {
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
            log_lost: record.log_lost.unwrap_or(0),
        };
        let run = &mut self.current;
        if run.base.is_none() {
            run.base = Some(summary);
            run.closes = 0;
        }
        self.is_begun = true;
        run.last = summary;
        run.closes_at_last = run.closes;
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.current);
        if run.numbered > 0 {
            let numbers = (run.highest_conn - run.lowest_conn).saturating_add(1);
            self.totals.unclosed_numbers += numbers.saturating_sub(run.numbered);
        }
        if run.opens > 0 {
            self.totals.opens_without_close += run.opens.saturating_sub(run.numbered);
        }
        let Some(base) = run.base.filter(|_| run.last.accepted > 0 || self.is_begun) else {
            return;
        };
        let (last, totals) = (run.last, &mut self.totals);
        let since = |last: u64, base: u64| last.saturating_sub(base);
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
        add(&mut totals.null_connections, null);
        add(&mut totals.log_lost, lost);
        totals.open = Some(last.open);
        let told = run.closes_at_last.saturating_add(null).saturating_add(lost);
        let missing = totals.missing_close_records.unwrap_or(0);
        totals.missing_close_records =
            Some(missing.saturating_add(closed as i64).saturating_sub(told as i64));
        self.is_begun = false;
    }

    pub fn finish(mut self) -> Totals {
        self.end_run();
        self.totals
    }
}

fn add(total: &mut Option<u64>, more: u64) {
    *total = Some(total.unwrap_or(0).saturating_add(more));
}
