//! What outlives the program: descriptors, and a description of all that they mean. Another program in the same process goes on
//! from there.

mod description;
mod executable;
mod inherited;
mod messages;
mod program;
mod question;
mod salvage;
mod store;

pub use description::{CarriedConnection, CarriedListener, Description, Header};
pub use inherited::{CAN_TAKE_OVER, Carried, Sockets, asked_whether, close_the_rest, take};
pub use program::{Program, monotonic_ns};
pub use question::Question;
pub use salvage::Salvaged;
pub use store::{leave, take_stored};
