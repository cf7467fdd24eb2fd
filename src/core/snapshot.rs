//! What of a connection outlives the program: plain values, and ages in place of moments, since the clock does not.
//!
//! Each part of a [`Session`](super::Session) gives its own, every field by name, and is made again of it. What comes back
//! may have been damaged on the way: what no session can be in is refused, and nothing else is trusted either. What is `None`
//! is left out: there are two copies of the words of every connection.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;

/// A moment, by how many nanoseconds before the snapshot it was; negative: after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Age(i64);

impl Age {
    /// The age of `moment` in a snapshot of `now`.
    pub fn of(moment: Moment, now: Moment) -> Age {
        let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        match now.checked_duration_since(moment) {
            Some(age) => Age(nanos(age)),
            None => Age(-nanos(moment - now)),
        }
    }

    /// Nothing that was is still to come.
    ///
    /// # Errors
    /// One of these moments is.
    pub(super) fn are_past(ages: &[Age]) -> Result<(), Implausible> {
        Implausible::unless(
            ages.iter().all(|Age(age)| *age >= 0),
            "a moment of the past that is still to come",
        )
    }

    /// The moment of that age, where the snapshot was made at `now`.
    pub fn moment(self, now: Moment) -> Moment {
        let distance = Duration::from_nanos(self.0.unsigned_abs());
        if self.0 >= 0 { now - distance } else { now + distance }
    }
}

/// Bytes in words: as the characters of the same numbers, so that those of a text can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(String);

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes(bytes.iter().copied().map(char::from).collect())
    }
}

impl TryFrom<&Bytes> for Vec<u8> {
    type Error = Implausible;

    fn try_from(Bytes(characters): &Bytes) -> Result<Vec<u8>, Implausible> {
        let bytes = characters.chars().map(u8::try_from).collect::<Result<_, _>>();
        bytes.map_err(|_| Implausible("a character that is no byte"))
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    pub(super) decoder: DecoderState,
    pub(super) liveness: LivenessState,
    pub(super) probes: ProbesState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ending: Option<EndingState>,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) discarded_bytes: u64,
    pub(super) owed_bytes: u32,
    pub(super) probe_bytes: u8,
    pub(super) probes_start: u64,
    pub(super) probes_length: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inquiry: Option<InquiryState>,
}

/// An orderly end of ours that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndingState {
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Age>,
}

/// What a decoder remembers, and so which protocol it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecoderState {
    /// The line protocol's.
    Line {
        /// The undecided beginning of a control line.
        held: Bytes,
        /// What was sent back does not end a line.
        mid_line: bool,
    },
    /// The raw protocol's: nothing.
    Raw,
}

/// Deadlines and heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivenessState {
    pub(super) opened: Age,
    pub(super) heard: Age,
    pub(super) quiet: Age,
    pub(super) delivery: DeliveryState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) awaiting: Option<Age>,
    pub(super) missed: u32,
    pub(super) jitter: u8,
    pub(super) is_unprobed: bool,
}

/// What became of the bytes that were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unconfirmed: Option<Age>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outstanding: Option<OutstandingState>,
}

/// Bytes that were not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutstandingState {
    pub(super) echo: bool,
    pub(super) blocked: bool,
    pub(super) unwanted: bool,
    pub(super) progress: Age,
    pub(super) heard: Age,
    pub(super) looked: Age,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acknowledged: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Age>,
}

/// Probes and their answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbesState {
    pub(super) sent: u64,
    pub(super) answered: u32,
    pub(super) unanswered: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) newest_sent: Option<Age>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) round_trip_ns: Option<u64>,
}

/// What is known of a silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) asked: Option<Age>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retransmits_before: Option<u32>,
    pub(super) patience_ns: u64,
}

/// A state that no session can be in: what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Implausible(pub &'static str);

impl Implausible {
    /// Says so unless `holds`.
    ///
    /// # Errors
    /// It does not hold.
    pub fn unless(holds: bool, what: &'static str) -> Result<(), Implausible> {
        if holds { Ok(()) } else { Err(Implausible(what)) }
    }
}
