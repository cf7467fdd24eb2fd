//! The way of log records to their sink: a bounded queue and a thread of its own, so that writing logs never holds up
//! a connection. What does not fit, or cannot be written, is counted.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What may wait for a slow sink; as much again may be on its way into it.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// A batch that grew larger gives its memory back once it is written.
const KEPT_BYTES: usize = 64 * 1024;

/// How long to wait for a sink that was made non-blocking by somebody else who shares it.
const BUSY_SINK_PAUSE: Duration = Duration::from_millis(10);

static LOST: AtomicU64 = AtomicU64::new(0);

/// Records that could not be written since the start.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// The queue. Each record is one line, and is put in as a whole.
#[derive(Debug, Clone)]
pub struct LogQueue {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write, or it is over.
    filled: Condvar,
    /// The writer has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    closing: bool,
    ended: bool,
}

impl LogQueue {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<LogQueue> {
        let shared = Arc::new(Shared::default());
        let writer = Writer { sink, torn: Vec::new() };
        let queue = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned());
        thread.spawn(move || writer.run(&queue))?;
        Ok(LogQueue { shared })
    }

    /// Queues one line, without ever waiting for the sink.
    pub fn push(&self, record: &[u8]) {
        let mut state = self.shared.lock();
        if state.waiting.len() + record.len() > QUEUE_BYTES {
            drop(state);
            LOST.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(record);
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Lets the thread write what waits, but waits `patience` at most for that.
    pub fn finish(self, patience: Duration) {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.filled.notify_one();
        let ended = self.shared.ended.wait_timeout_while(state, patience, |state| !state.ended);
        drop(ended);
    }
}

impl Shared {
    /// The state is whole at every unlock, so a panic elsewhere has not harmed it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Swaps what waits with the empty `batch`; false when it is over and all is written.
    fn next_batch(&self, batch: &mut Vec<u8>) -> bool {
        let state = self.lock();
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closing;
        let waited = self.filled.wait_while(state, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.waiting, batch);
        !batch.is_empty()
    }
}

struct Writer<S> {
    sink: S,
    /// The rest of a record that the sink took only in part: it goes first next time, so that no line is broken.
    torn: Vec<u8>,
}

impl<S: Write> Writer<S> {
    fn run(mut self, queue: &Shared) {
        let mut batch = Vec::new();
        while queue.next_batch(&mut batch) {
            self.write_batch(&batch);
            batch.clear();
            batch.shrink_to(KEPT_BYTES);
        }
        count_lost(&self.torn);
        queue.lock().ended = true;
        queue.ended.notify_all();
    }

    fn write_batch(&mut self, batch: &[u8]) {
        let torn = std::mem::take(&mut self.torn);
        let torn_left = self.write(&torn);
        if torn_left > 0 {
            self.torn = last(&torn, torn_left).to_vec();
            return count_lost(batch);
        }
        let left = last(batch, self.write(batch));
        let written = batch.len() - left.len();
        let torn_at_line_end = matches!(batch.get(..written).and_then(<[u8]>::last), None | Some(b'\n'));
        let rest = match torn_at_line_end {
            true => 0,
            false => memchr::memchr(b'\n', left).map_or(left.len(), |end| end + 1),
        };
        let (torn, lost) = left.split_at(rest);
        self.torn = torn.to_vec();
        count_lost(lost);
    }

    /// Writes what the sink takes; returns how many bytes it did not.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut left = bytes;
        while !left.is_empty() {
            match self.sink.write(left) {
                Ok(0) => break,
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(BUSY_SINK_PAUSE);
                }
                Err(_) => break, // a full disk, a closed pipe: counted, and tried again with the next batch
            }
        }
        left.len()
    }
}

fn last(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(bytes.len() - length..).unwrap_or_default()
}

fn count_lost(lines: &[u8]) {
    let lost = memchr::memchr_iter(b'\n', lines).count();
    LOST.fetch_add(lost as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes, then fails, until more room is made.
    struct SmallSink {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for SmallSink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let taken = &bytes[..bytes.len().min(self.room)];
            self.taken.extend_from_slice(taken);
            self.room -= taken.len();
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_whole_records_and_counts_them() {
        let sink = SmallSink { taken: Vec::new(), room: 6 };
        let mut writer = Writer { sink, torn: Vec::new() };
        let lost_before = lost();
        writer.write_batch(b"one\ntwo\nthree\n");
        assert_eq!(lost() - lost_before, 1, "three is lost, two is torn");
        writer.write_batch(b"four\n");
        assert_eq!(lost() - lost_before, 2);
        writer.sink.room = 100;
        writer.write_batch(b"five\n");
        assert_eq!(writer.sink.taken, b"one\ntwo\nfive\n");
        assert_eq!(lost() - lost_before, 2);
    }

    #[test]
    fn finishing_writes_what_waits_and_does_not_wait_for_a_stuck_sink() {
        let (mut reader, sink) = io::pipe().unwrap();
        let queue = LogQueue::start(sink).unwrap();
        queue.push(b"hello\n");
        queue.finish(Duration::from_secs(60));
        let mut line = [0; 6];
        io::Read::read_exact(&mut reader, &mut line).unwrap();
        assert_eq!(&line, b"hello\n");

        let (_reader, sink) = io::pipe().unwrap();
        let queue = LogQueue::start(sink).unwrap();
        queue.push(&vec![b'x'; 1024 * 1024]);
        queue.finish(Duration::from_millis(10));
    }
}
