//! Records into a stream of bytes: a terminal, a pipe, a file. Each record is a line, and no line is ever broken.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use super::log_queue::{Batch, Sink};

/// How long to wait for a stream that was made non-blocking by somebody else who shares it.
const BUSY_STREAM_PAUSE: Duration = Duration::from_millis(10);

/// A stream, and what it owes us.
#[derive(Debug)]
pub struct StreamSink<W> {
    stream: W,
    /// The rest of a record that was taken only in part: it goes first next time.
    torn: Vec<u8>,
}

impl<W: Write + Send + 'static> StreamSink<W> {
    /// Records go to `stream`, which should not buffer them.
    pub fn new(stream: W) -> StreamSink<W> {
        StreamSink { stream, torn: Vec::new() }
    }

    /// Writes what the stream takes; returns how many bytes that is.
    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut left = bytes;
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(0) => break,
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(BUSY_STREAM_PAUSE);
                }
                Err(_) => break, // a full disk, a closed pipe: counted, and tried again with the next batch
            }
        }
        bytes.len() - left.len()
    }

    /// Mends a torn record; returns whether all is well again.
    fn mend(&mut self) -> bool {
        let torn = std::mem::take(&mut self.torn);
        let written = self.write_some(&torn);
        self.torn = torn.get(written..).unwrap_or_default().to_vec();
        self.torn.is_empty()
    }
}

impl<W: Write + Send + 'static> Sink for StreamSink<W> {
    fn write(&mut self, batch: &Batch) -> u64 {
        if !self.mend() {
            return batch.len() as u64;
        }
        let written = self.write_some(batch.bytes());
        let Some((unwritten, first)) = batch.beyond(written) else {
            return 0;
        };
        if written == first.start {
            return unwritten as u64;
        }
        self.torn = batch.bytes().get(written..first.end).unwrap_or_default().to_vec();
        unwritten as u64 - 1
    }

    fn finish(&mut self) -> u64 {
        u64::from(!self.mend())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Takes `room` bytes, then fails, until more room is made.
    struct SmallDisk {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for SmallDisk {
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

    fn batch(records: &[&str]) -> Batch {
        let mut batch = Batch::default();
        records.iter().for_each(|record| batch.push(record.as_bytes()));
        batch
    }

    #[test]
    fn a_full_disk_loses_whole_records_and_counts_them() {
        let mut sink = StreamSink::new(SmallDisk { taken: Vec::new(), room: 6 });
        assert_eq!(sink.write(&batch(&["one\n", "two\n", "three\n"])), 1, "two is torn, three is lost");
        assert_eq!(sink.write(&batch(&["four\n"])), 1);
        sink.stream.room = 100;
        assert_eq!(sink.write(&batch(&["five\n"])), 0);
        assert_eq!(sink.stream.taken, b"one\ntwo\nfive\n");
        assert_eq!(sink.finish(), 0);
    }

    #[test]
    fn a_record_that_stays_torn_is_lost() {
        let mut sink = StreamSink::new(SmallDisk { taken: Vec::new(), room: 2 });
        assert_eq!(sink.write(&batch(&["one\n"])), 0);
        assert_eq!(sink.finish(), 1);
    }
}
