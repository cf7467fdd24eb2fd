//! Fair comparison: everybody in turns, round after round, so that what disturbs the machine disturbs all alike.

use std::fmt::{self, Display};

use crate::measure::median;
use crate::servers::Contender;

/// How often.
#[derive(Clone, Copy)]
pub struct Rounds {
    /// All servers are started anew so often: where their memory happens to lie makes a difference.
    pub starts: usize,
    /// Rounds after each start.
    pub rounds: usize,
}

impl Display for Rounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} rounds after each of {} starts", self.rounds, self.starts)
    }
}

/// What one contender was measured at.
pub struct Figures {
    /// As in the tables.
    pub name: String,
    /// The middle of all samples.
    pub median: f64,
    /// To the floor in the same round, the middle of all rounds.
    pub ratio: f64,
    /// The middle half of these.
    pub quartiles: (f64, f64),
}

impl Rounds {
    /// Starts every contender, takes a sample of each in each round, and ends them.
    pub fn run<S>(
        self,
        contenders: &[&Contender],
        mut start: impl FnMut(&Contender) -> anyhow::Result<S>,
        mut sample: impl FnMut(&mut S) -> anyhow::Result<f64>,
        mut end: impl FnMut(&Contender, S) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<Figures>> {
        let mut samples = vec![Vec::new(); contenders.len()];
        for _ in 0..self.starts {
            let started: anyhow::Result<Vec<S>> = contenders.iter().copied().map(&mut start).collect();
            let mut started = started?;
            for _ in 0..self.rounds {
                for (state, samples) in started.iter_mut().zip(&mut samples) {
                    samples.push(sample(state)?);
                }
            }
            for (contender, state) in contenders.iter().zip(started) {
                end(contender, state)?;
            }
        }
        let floor = contenders.iter().zip(&samples).find(|(contender, _)| contender.is_floor());
        let floor = floor.map(|(_, samples)| samples.clone()).unwrap_or_default();
        let figures = contenders.iter().zip(samples);
        Ok(figures.map(|(contender, samples)| Figures::new(contender, samples, &floor)).collect())
    }
}

impl Figures {
    fn new(contender: &Contender, samples: Vec<f64>, floor: &[f64]) -> Figures {
        let mut ratios: Vec<f64> = samples.iter().zip(floor).map(|(own, floor)| own / floor).collect();
        ratios.sort_by(f64::total_cmp);
        let quarter = ratios.len() / 4;
        Figures {
            name: contender.name.clone(),
            median: median(samples),
            quartiles: (ratios[quarter], ratios[ratios.len() - 1 - quarter]),
            ratio: median(ratios),
        }
    }

    /// The columns of a ratio and its spread.
    pub fn comparison(&self) -> [String; 2] {
        let (lower, upper) = self.quartiles;
        [format!("{:.3}", self.ratio), format!("{lower:.2}–{upper:.2}")]
    }
}
