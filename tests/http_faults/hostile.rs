//! Answers that decode and that no honest server gives.

use crate::rig::{Rig, plain};
use crate::scripted::{INFO, Reply, Server, json, problem};
use syncstore::Error;
use syncstore::wire::WireError;

const SOME_REF: &str = "01a1fb86-ed14-7000-9d98-0474a955280a";

fn last() -> Reply {
    problem("503 Service Unavailable", &[], "{}")
}

/// Each of these in answer to a pull is refused, as a broken promise or as divergence that a checkpoint would mend.
#[test]
fn a_page_of_the_inbox_that_makes_no_sense_changes_nothing() {
    let entry = |more: &str| format!(r#"{{"seq":900,"ref":"{SOME_REF}","outcome":"accepted"{more}}}"#);
    let page = |entries: &str, rest: &str| format!(r#"{{"entries":[{entries}],{rest}}}"#);
    let end = r#""cursor":"c9","seq":900,"more":false"#;
    let set = r#","op":"set","collection":"notes","key":"n1""#;
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let pages = [
        page(&entry(""), end),
        page(&entry(r#","op":"set""#), end),
        page(&entry(r#","op":"explode","collection":"notes","key":"n1","from":2,"rev":900"#), end),
        page(&entry(&format!(r#"{set},"from":1,"rev":900"#)), end),
        page(&entry(&format!(r#"{set},"value":1,"from":123456,"rev":900"#)), end),
        page(&entry(&format!(r#"{set},"value":{deep},"from":3,"rev":900"#)), end),
        page(&entry(&format!(r#"{set},"as_sent":true,"from":3,"rev":900"#)), end),
        page(&entry(r#","op":"patch","collection":"notes","key":"n1","patch":{},"from":3,"rev":900"#), end),
        page(&entry(r#","op":"patch","collection":"notes","key":"n1","patch":[{"op":"fly"}],"from":3,"rev":900"#), end),
        page(&entry(r#","op":"patch","collection":"notes","key":"absent","patch":[],"from":0,"rev":900"#), end),
        page(&entry(&format!(r#"{set},"value":1,"full":true,"rev":900"#)), r#""cursor":"c9","seq":5,"more":false"#),
        page(
            &format!("{},{}", entry(&format!(r#"{set},"value":1,"full":true"#)), entry(&format!(r#"{set},"value":2"#))),
            end,
        ),
        page("", r#""cursor":"c9","seq":18446744073709551615,"more":false"#),
        page("", r#""cursor":"c9","seq":-1,"more":false"#),
    ];
    let mut rig = Rig::new();
    for page in &pages {
        rig.write();
        rig.reopen();
        let before = rig.snapshot();
        let server = Server::start(vec![json(INFO), json(page), last()]);
        let error = match rig.store.pull(&server.wire(plain())) {
            Err(error) => error.into_error(),
            Ok(report) => panic!("{page}: {report:?}"),
        };
        assert!(
            matches!(error, Error::Wire(WireError::Protocol(_) | WireError::Unavailable { status: 503, .. })),
            "{page}: {error:?}"
        );
        rig.assert_unchanged(&before, page);
        rig.assert_converges(plain(), page);
    }
}

#[test]
fn an_inbox_that_never_advances_does_not_hold_a_pull_for_ever() {
    let mut rig = Rig::new();
    rig.write();
    rig.reopen();
    let page = r#"{"entries":[],"cursor":"same","seq":7,"more":true}"#;
    let server = Server::start(vec![json(INFO), json(page), json(page), last()]);
    let error = rig.store.pull(&server.wire(plain())).unwrap_err().into_error();
    assert!(matches!(error, Error::Wire(WireError::Protocol(_))), "{error:?}");
    rig.assert_converges(plain(), "a cursor of another server");
}

#[test]
fn results_of_a_push_that_make_no_sense_settle_nothing() {
    let mut rig = Rig::new();
    rig.append();
    let op = rig.store.pending().unwrap()[0].op_ref;
    let results = [
        String::new(),
        format!(r#"{{"ref":"{SOME_REF}","outcome":"accepted","seq":9}}"#),
        format!(r#"{{"ref":"{op}","outcome":"accepted","seq":9}},{{"ref":"{op}","outcome":"accepted","seq":9}}"#),
        format!(r#"{{"ref":"{op}","outcome":"accepted"}}"#),
        format!(r#"{{"ref":"{op}","outcome":"married","seq":9}}"#),
        format!(r#"{{"ref":"{op}","outcome":"accepted","seq":18446744073709551615}}"#),
        format!(r#"{{"ref":"{op}","outcome":"accepted","seq":-3}}"#),
        r#"{"ref":"no uuid","outcome":"accepted","seq":9}"#.to_owned(),
        "null".to_owned(),
    ];
    for result in results {
        rig.reopen();
        let before = rig.snapshot();
        let server = Server::start(vec![json(INFO), json(&format!(r#"{{"seq":9,"results":[{result}]}}"#))]);
        match rig.store.push(&server.wire(plain())) {
            Err(error) => {
                let error = error.into_error();
                assert!(matches!(error, Error::Wire(WireError::Protocol(_))), "{result}: {error:?}");
            }
            Ok(report) => panic!("{result}: {report:?}"),
        }
        rig.assert_unchanged(&before, &result);
    }
    rig.assert_converges(plain(), "results that make no sense");
}

#[test]
fn a_checkpoint_that_makes_no_sense_is_not_swapped_in() {
    let item = |more: &str| format!(r#"{{"collection":"notes","key":"n1","value":1,"rev":5{more}}}"#);
    let page = |items: &str, rest: &str| {
        format!(r#"{{"checkpoint":"c","cursor":"x","seq":9,"items":[{items}],"total":1{rest}}}"#)
    };
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let cases: Vec<Vec<String>> = vec![
        vec![page(r#"{"collection":"notes","key":"n1","value":1,"rev":0}"#, "")],
        vec![page(r#"{"collection":"notes","key":"n1","value":1,"rev":18446744073709551615}"#, "")],
        vec![page(r#"{"collection":"notes","key":"n1","rev":5}"#, "")],
        vec![page(&format!(r#"{{"collection":"notes","key":"n1","value":{deep},"rev":5}}"#), "")],
        vec![page(&item(""), r#","next":"p""#), page("", r#","next":"p""#)],
        vec![page(&item(""), r#","next":"p""#), page("", "").replace(r#""c""#, r#""another""#)],
        vec![page(&item(""), "").replace(r#""seq":9"#, r#""seq":18446744073709551615"#)],
    ];
    let mut rig = Rig::new();
    for pages in cases {
        rig.write();
        rig.reopen();
        let before = rig.snapshot();
        let gone = problem("410 Gone", &[], r#"{"code":"cursor_expired","reason":"pruned"}"#);
        let mut script = vec![json(INFO), gone];
        script.extend(pages.iter().map(|page| json(page)));
        script.push(last());
        let server = Server::start(script);
        let error = match rig.store.pull(&server.wire(plain())) {
            Err(error) => error.into_error(),
            Ok(report) => panic!("{pages:?}: {report:?}"),
        };
        assert!(
            matches!(error, Error::Wire(WireError::Protocol(_) | WireError::Unavailable { status: 503, .. })),
            "{pages:?}: {error:?}"
        );
        rig.assert_unchanged(&before, &format!("{pages:?}"));
        rig.assert_converges(plain(), &format!("{pages:?}"));
    }
}

/// Limits that no server means: the replica still writes and syncs.
#[test]
fn published_limits_of_zero_or_without_end_stop_nothing_for_ever() {
    for limits in [
        r#"{"body":0,"push_ops":0,"batch":0,"batch_ops":0,"value":0,"nesting":0,"name":0}"#,
        r#"{"body":18446744073709551615,"push_ops":18446744073709551615,"value":18446744073709551615,"nesting":18446744073709551615}"#,
        r#"{"body":1,"unknown":{"limit":[]}}"#,
    ] {
        let mut rig = Rig::new();
        rig.write();
        rig.reopen();
        let before = rig.snapshot();
        let info = format!(r#"{{"epoch":"e1","seq":7,"limits":{limits},"formats":[],"encodings":[]}}"#);
        let server = Server::start(vec![json(&info), last()]);
        let error = rig.store.push(&server.wire(plain())).unwrap_err().into_error();
        assert!(matches!(error, Error::Wire(WireError::Unavailable { .. })), "{limits}: {error:?}");
        rig.assert_unchanged(&before, limits);
        rig.reopen();
        rig.assert_converges(plain(), limits);
        rig.write();
        rig.assert_converges(plain(), limits);
    }
}
