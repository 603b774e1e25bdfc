//! The printed counts of a run.

use std::fmt;

/// Counts by what they count, in the order in which they were first named.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<Count>);

#[derive(Debug)]
struct Count {
    what: String,
    count: u64,
    /// A run in which this stays zero has proved nothing.
    is_expected: bool,
}

impl Tally {
    /// This must not be zero in the end.
    pub(super) fn expect(&mut self, what: &str) {
        self.count(what).is_expected = true;
    }

    /// Adds to a count.
    pub(super) fn add(&mut self, what: &str, count: u64) {
        self.count(what).count += count;
    }

    /// Adds to a count that must not be zero in the end.
    pub(super) fn prove(&mut self, what: &str, count: u64) {
        self.expect(what);
        self.add(what, count);
    }

    /// Adds all of another's counts.
    pub(super) fn extend(&mut self, other: &Self) {
        for Count { what, count, .. } in &other.0 {
            self.add(what, *count);
        }
    }

    fn count(&mut self, what: &str) -> &mut Count {
        let place = self.0.iter().position(|known| known.what == what).unwrap_or_else(|| {
            self.0.push(Count { what: what.to_owned(), count: 0, is_expected: false });
            self.0.len() - 1
        });
        &mut self.0[place]
    }

    /// Prints all counts. Fails if one is zero that was expected.
    #[expect(clippy::print_stdout, reason = "the counts are what a run is for")]
    pub(super) fn conclude(&self, title: &str) {
        println!("\n{title}\n{self}");
        let idle = self.0.iter().filter(|known| known.is_expected && known.count == 0);
        let idle: Vec<_> = idle.map(|known| &known.what).collect();
        assert!(idle.is_empty(), "{title}: nothing was proved about {idle:?}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Count { what, count, .. } in &self.0 {
            writeln!(f, "  {count:>7}  {what}")?;
        }
        Ok(())
    }
}
