//! What hardware, allocation or I/O decides, natively: a cheap sequence of numbers, the same in every run of a thread.

use std::cell::Cell;

/// The odd constant of a Weyl sequence, the golden ratio in 64 bits: successive multiples spread over all high bits.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

thread_local! {
    static SEQUENCE: Cell<u64> = const { Cell::new(0) };
}

/// The next choice of this thread: each of `0..count` comes up about equally often.
///
/// # Panics
/// If there is nothing to choose from.
pub(super) fn choose(count: usize) -> usize {
    assert!(count > 0, "choose wants at least one possibility");
    let next = SEQUENCE.get().wrapping_add(STEP);
    SEQUENCE.set(next);
    ((u128::from(next) * count as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_possibility_comes_up() {
        let mut times = [0; 5];
        (0..1000).for_each(|_| times[choose(5)] += 1);
        assert!(times.iter().all(|times| (190..=210).contains(times)), "{times:?}");
        assert_eq!(choose(1), 0);
    }
}
