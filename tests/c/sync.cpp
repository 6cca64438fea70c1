// Syncing, wires of the program's own, and data of a server, in C++: arguments are the server's URL and a token.
#include "expect.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>

using namespace std::string_literals;

static std::string url;
static std::string token;

static syncstore::wire with_token()
{
    syncstore::http_options options;
    options.bearer_token = token;
    options.headers = {{"x-first", "1"}, {"x-second", "2"}};
    options.user_agent = "";
    options.call_timeout = syncstore::milliseconds(20000);
    return syncstore::wire::http(url, "notes", options);
}

static void on_this_thread()
{
    syncstore::store one = syncstore::store::open("one.db");
    const syncstore::wire wire = with_token();
    EXPECT(wire.info().size() > 2 && wire.info().view().front() == '{');
    const syncstore::ref op = one.set("plain", "a", "1");
    const syncstore::report report = one.sync(wire);
    EXPECT(report.pushed() == 1 && report.accepted() == 1 && report.rejected() == 0 && report.undone() == 0);
    EXPECT(report.position() > 0 && report.elapsed().count() >= 0 && report.json().find("pushed") != std::string_view::npos);
    EXPECT(report.bootstrapped() == SYNCSTORE_BOOTSTRAP_FRESH || report.bootstrapped() == SYNCSTORE_BOOTSTRAP_NONE);
    EXPECT(one.outcome_of(op)->kind() == syncstore::outcome_kind::accepted && one.wait(op)->seq() > 0);
    EXPECT(wire.traffic().round_trips > 0);

    syncstore::store two = syncstore::store::open("two.db");
    std::uint64_t loaded = 0;
    const syncstore::report pulled = two.pull(wire, nullptr, [&, owned = std::make_unique<int>(1)](std::uint64_t done, std::uint64_t) {
        loaded = done + static_cast<std::uint64_t>(*owned) - 1;
    });
    EXPECT(pulled.loaded() + pulled.pulled() >= 1 && loaded == pulled.loaded() && two.get("plain", "a")->view() == "1");
    two.set("plain", "a", "2");
    EXPECT(two.push(wire).pushed() == 1);

    // What was refused is told with its reason.
    two.set("strict", "s", "1");
    two.sync(wire);
    one.sync(wire);
    one.set("strict", "s", "2");
    one.sync(wire);
    const syncstore::ref stale = two.set("strict", "s", "3");
    EXPECT(two.sync(wire).rejected() == 1);
    const auto outcome = two.outcome_of(stale);
    EXPECT(outcome->kind() == syncstore::outcome_kind::rejected && outcome->code() == "stale" && outcome->message());

    syncstore::cancellation cancel;
    EXPECT(!cancel.is_cancelled());
    cancel.cancel();
    EXPECT(cancel.is_cancelled());
    EXPECT_THROWS(SYNCSTORE_CANCELLED, one.sync(wire, &cancel));

    syncstore::store three = syncstore::store::open("three.db");
    try {
        three.sync(wire, nullptr, [](std::uint64_t, std::uint64_t) { throw std::runtime_error("from within"); });
        EXPECT(three.collections().size() == 2);
    } catch (const std::runtime_error& thrown) {
        EXPECT(thrown.what() == "from within"s && three.collections().size() == 2);
    }
}

static void credentials()
{
    auto asked = std::make_shared<int>(0);
    {
        syncstore::http_options options;
        const syncstore::credentials source =
            syncstore::credentials::from([asked, owned = std::make_unique<std::string>(token)](bool, syncstore::credential credential) {
                ++*asked;
                credential.bearer(*owned);
            });
        options.credentials = &source;
        const syncstore::wire wire = syncstore::wire::http(url, "notes", options);
        EXPECT(wire.info().size() > 0 && *asked == 1 && asked.use_count() == 2);
    }
    EXPECT(asked.use_count() == 1);

    syncstore::http_options options;
    const syncstore::credentials thrown =
        syncstore::credentials::from([](bool, syncstore::credential) { throw std::runtime_error("no keychain"); });
    options.credentials = &thrown;
    EXPECT_THROWS(SYNCSTORE_UNAUTHENTICATED, syncstore::wire::http(url, "notes", options).info());
    const syncstore::credentials without = syncstore::credentials::from([](bool refresh, syncstore::credential credential) {
        if (refresh) credential.fail("signed out");
        else credential.none();
    });
    options.credentials = &without;
    EXPECT_THROWS(SYNCSTORE_UNAUTHENTICATED, syncstore::wire::http(url, "notes", options).info());
    const syncstore::credentials wrong = syncstore::credentials::from(
        [](bool, syncstore::credential credential) { credential.hmac("rpa_1", "ada", "another secret"); });
    options.credentials = &wrong;
    EXPECT_THROWS(SYNCSTORE_UNAUTHENTICATED, syncstore::wire::http(url, "notes", options).info());
    options.bearer_token = token;
    EXPECT_THROWS(SYNCSTORE_MISUSE, syncstore::wire::http(url, "notes", options));
}

static void in_the_background()
{
    syncstore::store store = syncstore::store::open("background.db");
    EXPECT(store.sync_status().state() == syncstore::sync_state::stopped);
    syncstore::sync_policy policy;
    policy.debounce = syncstore::milliseconds(-1);
    store.start(with_token(), policy);
    EXPECT_THROWS(SYNCSTORE_ALREADY_STARTED, store.start(with_token()));
    const syncstore::ref op = store.set("plain", "b", "1");
    EXPECT(store.wait(op, syncstore::milliseconds(60000))->kind() == syncstore::outcome_kind::accepted);
    store.pause();
    const syncstore::sync_status status = store.sync_status();
    EXPECT(!status.error() && status.loaded() == 0 && status.total() == 0 && !status.next_try());
    store.resume();
    store.sync_now();
    store.credential_changed();
    // A request that was cut off may go on behind it.
    const syncstore::stopped how = store.stop(syncstore::milliseconds(60000));
    EXPECT(how == syncstore::stopped::entirely || how == syncstore::stopped::request_left);
}

// A backend that is out, then throws, then answers; it counts what it was asked.
struct backend {
    std::shared_ptr<std::atomic<int>> calls;
    std::unique_ptr<int> only_movable;

    void info(syncstore::wire_call call)
    {
        EXPECT(call.request() == "{}" && call.target().empty() && !call.client() && !call.cursor() && !call.page());
        if (++*calls == 1) call.answer("{\"none\": ");
        const char* id = "0198c2a0-0000-7000-8000-000000000001";
        call.answer("{\"database\":\""s + id + "\",\"epoch\":\"" + id + "\",\"seq\":0,\"limits\":{},\"formats\":[\"application/json\"],\"encodings\":[]}");
    }
    void push(syncstore::wire_call call)
    {
        ++*calls;
        EXPECT(call.op_count() == 1 && call.op_member(0, "collection") == "\"plain\"" && !call.op_member(1, "key"));
        EXPECT(call.client()->size() == 36 && call.limit() == 0 && call.wait().count() == 0 && !call.is_cancelled());
        call.fail(SYNCSTORE_FORBIDDEN, "no entry");
    }
    void pull(syncstore::wire_call call) { call.refuse(403, "{\"title\":\"no\"}"); }
    void checkpoint(syncstore::wire_call) { throw std::runtime_error("dropped"); }
    void cancel(syncstore::wire_call call) { EXPECT(call.is_cancelled()); }
};

static void of_its_own()
{
    auto calls = std::make_shared<std::atomic<int>>(0);
    {
        const syncstore::wire wire = syncstore::wire::custom(backend{calls, std::make_unique<int>(1)});
        EXPECT_THROWS(SYNCSTORE_PROTOCOL, wire.info());
        syncstore::options options;
        options.retry_attempts = 1;
        syncstore::store store = syncstore::store::open("own.db", options);
        store.set("plain", "k", "1");
        EXPECT_THROWS(SYNCSTORE_FORBIDDEN, store.push(wire));
        try {
            store.push(wire);
        } catch (const syncstore::error& failed) {
            EXPECT(failed.message().find("no entry") != std::string_view::npos);
            EXPECT(failed.report() && failed.report()->pushed() == 0);
        }
        EXPECT(calls->load() >= 3 && calls.use_count() == 2);
        // A new replica begins with a checkpoint, or with a pull.
        syncstore_status code = SYNCSTORE_OK;
        try {
            store.pull(wire);
        } catch (const syncstore::error& failed) {
            code = failed.code();
        }
        EXPECT(code == SYNCSTORE_PROTOCOL || code == SYNCSTORE_FORBIDDEN);
    }
    EXPECT(calls.use_count() == 1);
}

static void remote_data()
{
    syncstore::http_options http;
    http.bearer_token = token;
    syncstore::remote remote = syncstore::remote::connect(url, "notes", http);
    EXPECT(remote.info().size() > 0 && remote.traffic().round_trips > 0);
    const std::uint64_t rev = remote.set("far", "a", "{\"n\":1}");
    EXPECT(remote.patch("far", "a", "[{\"op\":\"add\",\"path\":\"/m\",\"value\":2}]") > rev);
    remote.set_index("far", "a", "due", "2026");
    remote.set_relation("far", "a", "r", "next", "far", "b");
    remote.add_tag("far", "a", "red");
    const auto item = remote.get("far", "a");
    EXPECT(item && item->rev() > rev && item->value().find("\"m\"") != std::string_view::npos && item->json().find("red") != std::string_view::npos);
    EXPECT(remote.get_newer("far", "a", item->rev()).unchanged && remote.get_newer("far", "a", rev).item && !remote.get("far", "none"));
    EXPECT(remote.indexes("far", "a")->view() == "{\"due\":\"2026\"}" && remote.tags("far", "a")->view() == "[\"red\"]");
    EXPECT(remote.relations("far", "a")->view().find("next") != std::string_view::npos);
    remote.remove_index("far", "a", "due");
    remote.remove_relation("far", "a", "r");
    remote.remove_tag("far", "a", "red");

    syncstore::write_options absent;
    absent.precondition = syncstore::precondition::absent;
    EXPECT_THROWS(SYNCSTORE_PRECONDITION_FAILED, remote.set("far", "a", "2", absent));
    syncstore::write_options named;
    named.op = remote.new_ref();
    EXPECT(remote.set("far", "b", "1", named) == remote.set("far", "b", "1", named));

    syncstore::remote_batch batch = remote.batch();
    for (const char* key : {"c", "d", "e"}) batch.set("far", key, "1");
    batch.patch("far", "c", "[]");
    batch.set_index("far", "c", "due", "2027");
    batch.set_relation("far", "c", "r", "next", "far", "d");
    batch.add_tag("far", "c", "red");
    batch.remove_tag("far", "c", "red");
    batch.remove_relation("far", "c", "r");
    batch.remove("far", "e");
    EXPECT(batch.size() == 10 && batch.commit().size() == 10);
    batch = remote.batch();
    batch.remove_index("far", "d", "none");
    batch.patch("far", "none", "[]");
    try {
        batch.commit();
        EXPECT(!"reached");
    } catch (const syncstore::error& failed) {
        EXPECT(failed.code() == SYNCSTORE_REJECTED && failed.failed_write() == 1 && failed.rejection());
    }

    syncstore::remote_query query;
    query.limit = 2;
    std::string keys;
    for (;;) {
        const syncstore::remote_page page = remote.list("far", query);
        for (const syncstore::remote_row row : page) keys += std::string(row.key) + (row.rev > 0 && row.value != "" ? ";" : "?");
        if (!page.next()) break;
        query.after = std::string(*page.next());
    }
    EXPECT(keys == "a;b;c;d;");
    bool found = false;
    for (const syncstore::remote_row row : remote.collections()) found = found || (row.key == "far" && row.items == 4);
    EXPECT(found);
    remote.remove("far", "a");

    syncstore::cancellation cancel;
    const syncstore::remote ended = remote.cancellable(cancel);
    cancel.cancel();
    EXPECT_THROWS(SYNCSTORE_CANCELLED, ended.get("far", "b"));
}

int main(int count, char** arguments)
{
    EXPECT(count >= 3);
    url = arguments[1];
    token = arguments[2];
    on_this_thread();
    credentials();
    in_the_background();
    of_its_own();
    remote_data();
    EXPECT(syncstore::live_handles() == 0);
    return 0;
}
