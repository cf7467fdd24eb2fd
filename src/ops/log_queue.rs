//! The way of log records to their sink: a bounded queue and a thread of its own, so that writing logs never holds up
//! a connection. What does not fit, or cannot be written, is counted.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::process_state;

/// What may wait for a slow sink; as much again may be on its way into it.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// A batch that grew larger gives its memory back once it is written.
const KEPT_BYTES: usize = 64 * 1024;

/// How long the first record waits for others to be written with it: a write for many costs hardly more than one for one.
const GATHERING: Duration = Duration::from_millis(5);

static LOST: AtomicU64 = AtomicU64::new(0);

/// Records that could not be written since the start.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Where records go.
pub trait Sink: Send + 'static {
    /// Writes what can be written of a batch, and says how many records are lost.
    fn write(&mut self, batch: &Batch) -> u64;

    /// Nothing more comes. Says how many records, kept to be tried again, are lost now.
    fn finish(&mut self) -> u64 {
        0
    }
}

/// Records, one after the other.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// All records' bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The records that do not lie wholly within the first `length` bytes: how many, and where the first of them lies.
    pub fn beyond(&self, length: usize) -> Option<(usize, std::ops::Range<usize>)> {
        let whole = self.ends.partition_point(|end| *end <= length);
        let start = whole.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        let end = *self.ends.get(whole)?;
        Some((self.len() - whole, start..end))
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.ends.shrink_to(KEPT_BYTES / size_of::<usize>());
    }
}

/// The queue.
#[derive(Debug, Clone)]
pub struct LogQueue {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write, or it is over.
    filled: Condvar,
    /// The writer has written all, or has ended.
    idle: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Batch,
    /// A batch is being written.
    writing: bool,
    /// Somebody waits for it: gather no more.
    hurry: bool,
    closing: bool,
    ended: bool,
}

impl LogQueue {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(sink: impl Sink) -> io::Result<LogQueue> {
        let shared = Arc::new(Shared::default());
        let queue = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned());
        thread.spawn(move || {
            process_state::leave_signals_to_main_thread();
            write_all(sink, &queue);
        })?;
        Ok(LogQueue { shared })
    }

    /// Queues a record, without ever waiting for the sink.
    pub fn push(&self, record: &[u8]) {
        let mut state = self.shared.lock();
        if state.waiting.bytes.len() + record.len() > QUEUE_BYTES {
            drop(state);
            count_lost(1);
            return;
        }
        let first = state.waiting.is_empty();
        state.waiting.push(record);
        drop(state);
        if first {
            self.shared.filled.notify_one();
        }
    }

    /// Waits until what was queued is written, but `patience` at most.
    pub fn flush(&self, patience: Duration) {
        let mut state = self.shared.lock();
        state.hurry = true;
        self.shared.filled.notify_one();
        let busy = |state: &mut State| state.writing || !state.waiting.is_empty();
        let waited = self.shared.idle.wait_timeout_while(state, patience, busy);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.hurry = false;
    }

    /// Lets the thread write what waits, but waits `patience` at most for that.
    pub fn finish(&self, patience: Duration) {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.filled.notify_one();
        let ended = self.shared.idle.wait_timeout_while(state, patience, |state| !state.ended);
        drop(ended);
    }
}

impl Shared {
    /// The state is whole at every unlock, so a panic elsewhere has not harmed it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Swaps what waits with the empty `batch`; false when it is over and all is written.
    fn next_batch(&self, batch: &mut Batch) -> bool {
        let mut state = self.lock();
        state.writing = false;
        self.idle.notify_all();
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closing;
        let waited = self.filled.wait_while(state, idle);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        let in_no_hurry = |state: &mut State| !state.closing && !state.hurry;
        let gathered = self.filled.wait_timeout_while(state, GATHERING, in_no_hurry);
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.waiting, batch);
        state.writing = true;
        !batch.is_empty()
    }
}

fn write_all(mut sink: impl Sink, queue: &Shared) {
    let mut batch = Batch::default();
    while queue.next_batch(&mut batch) {
        count_lost(sink.write(&batch));
        batch.clear();
    }
    count_lost(sink.finish());
    queue.lock().ended = true;
    queue.idle.notify_all();
}

/// Counts records that could not be written, here or in the program before.
pub fn count_lost(records: u64) {
    LOST.fetch_add(records, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    struct Pipe(io::PipeWriter);

    impl Sink for Pipe {
        fn write(&mut self, batch: &Batch) -> u64 {
            self.0.write_all(batch.bytes()).unwrap();
            0
        }
    }

    #[test]
    fn finishing_writes_what_waits() {
        let (mut reader, sink) = io::pipe().unwrap();
        let queue = LogQueue::start(Pipe(sink)).unwrap();
        queue.push(b"hello\n");
        queue.finish(Duration::from_secs(60));
        let mut line = [0; 6];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"hello\n");
    }

    #[test]
    fn a_stuck_sink_holds_up_neither_records_nor_the_end_and_costs_counts() {
        let (_reader, sink) = io::pipe().unwrap();
        let queue = LogQueue::start(Pipe(sink)).unwrap();
        let lost_before = lost();
        for _ in 0..3 * QUEUE_BYTES / (1024 * 1024) {
            queue.push(&[b'x'; 1024 * 1024]);
        }
        assert!(lost() - lost_before >= 16, "one queue waits, another is on its way, a third is lost");
        queue.finish(Duration::from_millis(10));
    }

    #[test]
    fn a_batch_knows_its_records() {
        let mut batch = Batch::default();
        for record in [&b"one"[..], b"", b"three"] {
            batch.push(record);
        }
        assert_eq!(batch.records().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(batch.beyond(0), Some((3, 0..3)));
        assert_eq!(batch.beyond(2), Some((3, 0..3)));
        assert_eq!(batch.beyond(3), Some((1, 3..8)));
        assert_eq!(batch.beyond(8), None);
    }
}
