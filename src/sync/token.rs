//! Texts that a server makes and this replica stores and sends back: their bound, and where they lead.

use crate::error::{Error, Result};

/// The longest cursor, page or checkpoint's name, in bytes: it has to fit into a request's head.
const LONGEST: usize = 4 << 10;

/// Refuses a text that is too long to be stored and sent back.
pub(super) fn check(what: &str, text: &str) -> Result<()> {
    if text.len() > LONGEST {
        return Err(Error::protocol(format!("{what} has {} bytes; the most is {LONGEST}", text.len())));
    }
    Ok(())
}

/// Finds out that a chain of pages leads in a circle, holding one of them at a time (Brent).
#[derive(Debug, Default)]
pub(super) struct Circle {
    marked: Option<String>,
    steps: u64,
    until: u64,
}

impl Circle {
    /// Goes on to the next page; an error when it was there before. A circle is found within twice its length and the
    /// length of the way to it.
    pub fn step(&mut self, page: &str) -> Result<()> {
        if self.marked.as_deref() == Some(page) {
            return Err(Error::protocol("the pages of the checkpoint lead in a circle"));
        }
        self.steps += 1;
        if self.steps > self.until {
            (self.marked, self.until, self.steps) = (Some(page.to_owned()), self.until * 2 + 1, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_wherever_it_begins_and_a_long_way_is_none() {
        for (way, length) in [(0, 1), (0, 2), (3, 1), (5, 7), (100, 3), (1, 100)] {
            let mut circle = Circle::default();
            let steps = (0..10_000).take_while(|step| {
                let page = if *step < way { *step } else { way + (*step - way) % length };
                circle.step(&page.to_string()).is_ok()
            });
            let steps = steps.count();
            assert!(steps <= 4 * (way + length) + 2, "{way} {length}: {steps}");
        }
        let mut circle = Circle::default();
        assert!((0..10_000).all(|step| circle.step(&step.to_string()).is_ok()));
    }

    #[test]
    fn a_text_may_have_the_most_and_not_one_more() {
        assert!(check("the cursor", &"c".repeat(LONGEST)).is_ok());
        assert!(check("the cursor", &"c".repeat(LONGEST + 1)).is_err());
    }
}
