//! Which items a checkpoint is of, as ranges of the items' index.

use crate::storage::{CollectionKey, ItemSpan, Snapshot, Stored};
use syncstore::protocol::{Filter, KeySpan, Scope};

/// What a scope has, in order. `None`: every item there is.
pub fn spans(snapshot: &impl Snapshot, scope: &Scope) -> Stored<Option<Vec<ItemSpan>>> {
    let wanted = listed(snapshot, &scope.filter)?;
    let had = scope.have.as_ref().map_or(Ok(Some(Vec::new())), |have| listed(snapshot, have))?;
    Ok(match (wanted, had) {
        (_, None) => Some(Vec::new()),
        (None, Some(had)) if had.is_empty() => None,
        (None, Some(had)) => Some(without(vec![ItemSpan::all()], &had)),
        (Some(wanted), Some(had)) => Some(without(wanted, &had)),
    })
}

// The items of a list; of a collection that never had an item there are none. `None`: it is everything.
fn listed(snapshot: &impl Snapshot, filter: &Filter) -> Stored<Option<Vec<ItemSpan>>> {
    let Some(names) = filter.collections() else { return Ok(None) };
    let mut spans = Vec::new();
    for name in names {
        let Some(collection) = snapshot.collection_key(name)? else { continue };
        spans.extend(filter.ranges(name).into_iter().map(|KeySpan { from, to }| ItemSpan {
            from: (collection, from),
            to: to.map_or((CollectionKey(collection.0 + 1), String::new()), |to| (collection, to)),
        }));
    }
    spans.sort_unstable_by(|one, other| one.from.cmp(&other.from));
    Ok(Some(spans))
}

// Both in order, and none of one list overlapping another of it.
fn without(spans: Vec<ItemSpan>, gone: &[ItemSpan]) -> Vec<ItemSpan> {
    let mut left = Vec::new();
    for ItemSpan { mut from, to } in spans {
        for gone in gone.iter().filter(|gone| gone.from < to) {
            if gone.to <= from {
                continue;
            }
            if from < gone.from {
                left.push(ItemSpan { from, to: gone.from.clone() });
            }
            from = gone.to.clone();
        }
        if from < to {
            left.push(ItemSpan { from, to });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_cut_out_of_what_there_was() {
        let span = |from: (i64, &str), to: (i64, &str)| ItemSpan {
            from: (CollectionKey(from.0), from.1.into()),
            to: (CollectionKey(to.0), to.1.into()),
        };
        let (one, two) = (span((1, ""), (2, "")), span((3, "b"), (3, "c")));
        let all = vec![one.clone(), two.clone()];
        assert_eq!(without(all.clone(), &[]), all);
        assert_eq!(without(all.clone(), &all), []);
        assert_eq!(without(all.clone(), std::slice::from_ref(&one)), std::slice::from_ref(&two));
        assert_eq!(
            without(all.clone(), &[span((1, "k"), (1, "l")), span((1, "m"), (1, "n"))]),
            [span((1, ""), (1, "k")), span((1, "l"), (1, "m")), span((1, "n"), (2, "")), two.clone()]
        );
        assert_eq!(
            without(all.clone(), &[span((0, ""), (1, "k")), span((1, "x"), (9, ""))]),
            [span((1, "k"), (1, "x"))]
        );
        assert_eq!(
            without(vec![ItemSpan::all()], &all),
            [span((0, ""), (1, "")), span((2, ""), (3, "b")), span((3, "c"), (i64::MAX, ""))]
        );
    }
}
