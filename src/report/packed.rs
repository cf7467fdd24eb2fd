//! Compressed logs, told by their first bytes.

use std::cell::RefCell;
use std::io::{self, Chain, Cursor, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// RFC 1952, section 2.3.1, and RFC 8878, sections 3.1.1 and 3.1.2: a zstd file may begin with a frame to be skipped.
pub fn unpacked(mut input: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
    let is_zstd = matches!(magic.as_slice(), [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18]);
    let whole = Cursor::new(magic).chain(input);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(whole))
    } else if is_zstd {
        Box::new(Frames { input: Shared(Rc::new(RefCell::new(whole))), frame: None })
    } else {
        Box::new(whole)
    })
}

/// The frames of a zstd file, one after the other.
struct Frames {
    input: Shared,
    frame: Option<Frame>,
}

type Frame = StreamingDecoder<Chain<Cursor<[u8; 1]>, Shared>, FrameDecoder>;

/// An input that outlives the frames that are read from it: their number must not matter.
#[derive(Clone)]
struct Shared(Rc<RefCell<dyn Read>>);

impl Read for Shared {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.try_borrow_mut().map_err(io::Error::other)?.read(space)
    }
}

impl Frames {
    /// The next frame that is not to be skipped. `None`: the end.
    fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let mut first = [0; 1];
            if self.input.read(&mut first)? == 0 {
                return Ok(None);
            }
            let skipped = match StreamingDecoder::new(Cursor::new(first).chain(self.input.clone())) {
                Ok(frame) => return Ok(Some(frame)),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => u64::from(length),
                Err(error) => return Err(io::Error::other(format!("zstd: {error}"))),
            };
            io::copy(&mut self.input.by_ref().take(skipped), &mut io::sink())?;
        }
    }
}

impl Read for Frames {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let length = frame.read(space)?;
                if length > 0 || space.is_empty() {
                    return Ok(length);
                }
            }
            self.frame = self.next()?;
            if self.frame.is_none() {
                return Ok(0);
            }
        }
    }
}
