//! Which properties of a value others touched: a tree of their names, walked along with values and pointers.

use serde_json::Value;
use std::collections::BTreeMap;

/// Which properties others touched since a base.
#[derive(Debug)]
pub struct Touched {
    root: Node,
    // How many there are.
    nodes: usize,
}

/// A property that was touched, or that has some within it.
#[derive(Debug)]
pub enum Node {
    /// It was touched as a whole.
    Whole,
    /// These members have something touched. There is at least one, but in the root.
    Within(BTreeMap<String, Node>),
}

// The most names by which properties are told apart; beyond that everything counts as touched. A name that properties
// have in common counts once, so that it is memory that is bounded, however deep they lie.
const MOST_NODES: usize = 100_000;

/// A value differs by too much.
#[derive(Debug)]
struct TooMuch;

impl Touched {
    pub fn nothing() -> Touched {
        Touched { root: Node::Within(BTreeMap::new()), nodes: 0 }
    }

    pub fn everything() -> Touched {
        Touched { root: Node::Whole, nodes: 0 }
    }

    pub fn is_everything(&self) -> bool {
        matches!(self.root, Node::Whole)
    }

    /// Counts the properties by which `after` differs from `before` as touched; everything, where that makes too many.
    pub fn add(&mut self, before: &Value, after: &Value) {
        let mut left = MOST_NODES;
        match difference(before, after, &mut left) {
            Ok(Some(node)) => join(&mut self.root, node, &mut self.nodes),
            Ok(None) => {}
            Err(TooMuch) => self.root = Node::Whole,
        }
        if self.nodes > MOST_NODES {
            self.root = Node::Whole;
        }
    }

    /// What is touched of the value; `None`: nothing.
    pub fn root(&self) -> Option<&Node> {
        match &self.root {
            Node::Within(members) if members.is_empty() => None,
            root => Some(root),
        }
    }

    /// Whether the property that a JSON Pointer (RFC 6901) leads to was touched, or one that holds it, or one within it.
    pub fn meets(&self, pointer: &str) -> bool {
        let Some(mut node) = self.root() else { return false };
        for name in pointer.split('/').skip(1) {
            match node {
                Node::Whole => return true,
                Node::Within(members) => match members.get(&name.replace("~1", "/").replace("~0", "~")) {
                    Some(member) => node = member,
                    None => return false,
                },
            }
        }
        true
    }
}

impl Node {
    // How many there are of it, itself among them.
    fn nodes(&self) -> usize {
        match self {
            Node::Whole => 1,
            Node::Within(members) => 1 + members.values().map(Node::nodes).sum::<usize>(),
        }
    }
}

// The properties by which `after` differs from `before`; `None`: by none. Fails beyond `left` nodes.
fn difference(before: &Value, after: &Value, left: &mut usize) -> Result<Option<Node>, TooMuch> {
    let node = match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut members = BTreeMap::new();
            for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
                let member = match (before.get(name), after.get(name)) {
                    (Some(before), Some(after)) => difference(before, after, left)?,
                    _ => Some(counted(Node::Whole, left)?),
                };
                members.extend(member.map(|member| (name.clone(), member)));
            }
            Node::Within(members)
        }
        _ if before == after => return Ok(None),
        _ => Node::Whole,
    };
    match node {
        Node::Within(members) if members.is_empty() => Ok(None),
        node => counted(node, left).map(Some),
    }
}

fn counted(node: Node, left: &mut usize) -> Result<Node, TooMuch> {
    *left = left.checked_sub(1).ok_or(TooMuch)?;
    Ok(node)
}

// Makes one of both in `node`; `nodes` counts what there is below it.
fn join(node: &mut Node, other: Node, nodes: &mut usize) {
    match (node, other) {
        (Node::Whole, _) => {}
        (node, Node::Whole) => {
            *nodes -= node.nodes() - 1;
            *node = Node::Whole;
        }
        (Node::Within(members), Node::Within(others)) => {
            for (name, other) in others {
                if let Some(member) = members.get_mut(&name) {
                    join(member, other, nodes);
                } else {
                    *nodes += other.nodes();
                    members.insert(name, other);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn touched(differences: &[(Value, Value)]) -> Touched {
        let mut touched = Touched::nothing();
        for (before, after) in differences {
            touched.add(before, after);
        }
        if !touched.is_everything() {
            assert_eq!(touched.nodes, touched.root.nodes() - 1);
        }
        touched
    }

    #[test]
    fn a_property_meets_what_holds_it_and_what_is_within_it() {
        let before = json!({"a": {"b": {"d": 0}}, "aa": 0, "c": 0, "n/~m": 0, "z": {"y": [1]}});
        let after = json!({"a": {"b": {"d": 1}}, "c": {}, "aa": 1, "n/~m": 1, "z": {"y": [1]}});
        let touched = touched(&[(before, after)]);
        let met = ["", "/a", "/a/b", "/a/b/d", "/a/b/d/x/y", "/c", "/c/x", "/aa", "/n~1~0m"];
        let not_met = ["/a/bb", "/a/a", "/a/b/x", "/b", "/z", "/z/y/0", "/n", "/"];
        assert!(met.iter().all(|pointer| touched.meets(pointer)), "{touched:?}");
        assert!(!not_met.iter().any(|pointer| touched.meets(pointer)), "{touched:?}");
        assert!(Touched::everything().meets("") && Touched::everything().meets("/a"));
        assert!(!Touched::nothing().meets("") && !Touched::nothing().meets("/a"));
    }

    #[test]
    fn what_was_touched_at_several_times_is_touched() {
        let at = [
            (json!({"a": {"x": 0}, "b": {"x": 0, "y": 0}}), json!({"a": {"x": 1}, "b": {"x": 1, "y": 0}})),
            (json!({"a": {"x": 1, "y": 0}}), json!({"a": {"x": 2, "y": 1}})),
            (json!({"b": {"x": 1, "y": 0}}), json!({"b": 0})),
            (json!({"b": {"z": 1}}), json!({"b": {"z": 2}})),
        ];
        let meets = |times: usize| {
            let touched = touched(&at[..times]);
            ["/a/x", "/a/y", "/b/x", "/b/y"].map(|pointer| touched.meets(pointer))
        };
        assert_eq!(meets(1), [true, false, true, false]);
        assert_eq!(meets(2), [true, true, true, false]);
        assert_eq!(meets(3), [true; 4]);
        assert_eq!(meets(4), [true; 4]);
        assert_eq!(touched(&at).nodes, 4, "a, what is in it, and b");
        assert!(touched(&[(json!({"a": 0}), json!([])), (json!({"a": 0}), json!({"a": 1}))]).is_everything());
    }

    // Objects within each other, the innermost with `members`.
    fn nested(levels: usize, members: usize, value: u32) -> Value {
        let innermost = (0..members).map(|name| (name.to_string(), json!(value))).collect();
        (0..levels)
            .fold(Value::Object(innermost), |inner, _| Value::Object([("n".to_owned(), inner)].into_iter().collect()))
    }

    #[test]
    fn what_lies_deep_takes_no_more_than_what_lies_shallow() {
        let touched = touched(&[(nested(120, 99_000, 0), nested(120, 99_000, 1))]);
        assert_eq!(touched.nodes, 120 + 99_000);
        assert!(touched.meets(&("/n".repeat(120) + "/98999")) && !touched.meets(&("/n".repeat(120) + "/99000")));
    }

    #[test]
    fn how_much_is_told_apart_is_bounded_while_it_is_found_out() {
        for (levels, members, everything) in
            [(0, MOST_NODES - 1, false), (0, MOST_NODES, true), (9, MOST_NODES - 9, true)]
        {
            let touched = touched(&[(nested(levels, members, 0), nested(levels, members, 1))]);
            assert_eq!(touched.is_everything(), everything, "{levels} {members}");
            // What is beyond the bound was not made.
            assert!(touched.nodes < MOST_NODES);
        }
        let mut left = 10;
        assert!(difference(&nested(0, 5_000, 0), &nested(0, 5_000, 1), &mut left).is_err());
        assert_eq!(left, 0);
        // And so is what several differences make together.
        let halves = [(json!({"a": nested(0, 60_000, 0)}), json!({"a": nested(0, 60_000, 1)}))];
        let halves = [halves, [(json!({"b": nested(0, 60_000, 0)}), json!({"b": nested(0, 60_000, 1)}))]].concat();
        assert!(!touched(&halves[..1]).is_everything() && touched(&halves).is_everything());
    }
}
