//! Stress: the actors of the scenarios as random programs on real threads.
//!
//! A model checker goes through all schedules of a small world; stress goes through few schedules of many worlds, on
//! the host's own threads. Programs are drawn from a seed ([`draw`]), so the same seed gives the same programs; which
//! schedule they meet is the host's choice. What is checked on the way are the kernel's own assertions (ghost state is
//! kept here), and between the phases of a program, when nobody runs, every invariant of the oracle.

mod draw;
mod play;
mod run;

pub use draw::{Drawn, draw};
pub use play::{Failure, Fate};
pub use run::{Programs, Stress, Stressed, stress};
