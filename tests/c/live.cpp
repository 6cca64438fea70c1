// Watching, events, conflicts and rejections in C++: arguments are the server's URL and a token.
#include "expect.hpp"

#include <atomic>
#include <stdexcept>
#include <unistd.h>

using namespace std::string_literals;

static syncstore::wire connect(char** arguments)
{
    syncstore::http_options options;
    options.bearer_token = arguments[2];
    return syncstore::wire::http(arguments[1], "notes", options);
}

static void watching()
{
    auto woken = std::make_shared<std::atomic<int>>(0);
    {
        syncstore::store store = syncstore::store::open("watch.db");
        syncstore::watch_options options;
        options.collection = "notes";
        options.prefix = "a";
        syncstore::watcher watcher = store.watch(options, [woken, owned = std::make_unique<int>(1)] {
            *woken += *owned;
            throw std::runtime_error("dropped");
        });
        syncstore::watcher all = store.watch();
        const syncstore::ref op = store.set("notes", "a1", "1");
        store.set("notes", "b1", "1");
        const syncstore::changes changes = watcher.take();
        EXPECT(changes.size() == 1 && changes.overflow() == syncstore::overflow::none && woken->load() == 1);
        EXPECT(changes[0].collection() == "notes" && changes[0].key() == "a1" && changes[0].op() == op);
        EXPECT(changes[0].kind() == syncstore::change_kind::set && changes[0].origin() == syncstore::origin::local);
        EXPECT(all.take().size() == 2 && all.take().empty() && woken.use_count() == 2);
    }
    EXPECT(woken.use_count() == 1);
}

static void events(char** arguments)
{
    const syncstore::wire wire = connect(arguments);
    syncstore::store store = syncstore::store::open("events.db");
    std::atomic<int> woken{0};
    syncstore::event_options options;
    options.log_level = syncstore::log_level::debug;
    syncstore::events events = store.events(options, [&woken] { ++woken; });
    syncstore::events quiet = store.events();
    syncstore::watch_options notes;
    notes.collection = "notes";
    const std::uint64_t subscription = events.subscribe(notes);
    const syncstore::ref op = store.set("notes", "e", "1");
    EXPECT(events.wait(syncstore::milliseconds(60000)));
    int changed = 0;
    events.pump([&](syncstore::event event) {
        if (event.kind() != syncstore::event_kind::changed) return;
        ++changed;
        EXPECT(event.subscription() == subscription && event.change().key() == "e" && event.change().op() == op);
        EXPECT(event.missed_count() == 0 && event.log_line().empty() && event.conflict_key().empty() && !event.conflict_resource_name());
    });
    EXPECT(changed == 1 && woken.load() >= 1);
    store.sync(wire);
    const std::int32_t descriptor = events.descriptor();
    EXPECT(descriptor > 0);
    close(descriptor);
    int settled = 0;
    syncstore::pumped did;
    do {
        did = events.pump([&](syncstore::event event) {
            if (event.kind() != syncstore::event_kind::settled) return;
            ++settled;
            EXPECT(event.op() == op && event.outcome().kind() == syncstore::outcome_kind::accepted && event.outcome().seq() > 0);
        }, 100, syncstore::milliseconds(1000));
    } while (did.more);
    EXPECT(settled == 1);
    EXPECT(events.unsubscribe(subscription) && !events.unsubscribe(subscription));
    store.set("notes", "e", "2");
    EXPECT(quiet.pump([](syncstore::event) { throw std::logic_error("not subscribed"); }, 0).events == 0);
    try {
        quiet.pump([](syncstore::event) { throw std::runtime_error("from within"); });
    } catch (const std::runtime_error& thrown) {
        EXPECT(thrown.what() == "from within"s);
    }
}

// Both change one item; the second to sync has the conflict.
static void conflict_of(const syncstore::wire& wire, syncstore::store& one, syncstore::store& two, const char* key)
{
    one.set("plain", key, "{\"a\":1,\"b\":1}");
    one.sync(wire);
    two.sync(wire);
    one.patch("plain", key, "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]");
    one.sync(wire);
    two.set("plain", key, "{\"a\":1,\"b\":3}");
}

static void conflicts(char** arguments)
{
    const syncstore::wire wire = connect(arguments);
    syncstore::store one = syncstore::store::open("one.db");
    {
        syncstore::store two = syncstore::store::open("two.db");
        conflict_of(wire, one, two, "by hand");
        two.pull(wire);
        const syncstore::conflict_list open = two.conflicts();
        EXPECT(open.size() == 1);
        for (const syncstore::conflict conflict : open) {
            EXPECT(conflict.id() > 0 && conflict.collection() == "plain" && conflict.key() == "by hand");
            EXPECT(conflict.resource() == syncstore::resource::value && !conflict.resource_name());
            EXPECT(conflict.base() && conflict.local() && conflict.remote() && conflict.view() && conflict.opened_at() > 0);
            EXPECT(conflict.ending() == syncstore::ending::none && conflict.ended_at() == 0 && !conflict.op());
            EXPECT(conflict.merge(syncstore::prefer::ours)->view() == "{\"a\":2,\"b\":3}");
        }
        const syncstore::notices notices = two.take_notices();
        EXPECT(notices.size() == 1 && std::get<syncstore::conflict>(notices[0]).key() == "by hand" && two.take_notices().empty());
        two.resolve(open[0], syncstore::resolution::merged, "{\"a\":2,\"b\":3}");
        EXPECT_THROWS(SYNCSTORE_CONFLICT_MOVED, two.resolve(open[0], syncstore::resolution::keep_ours));
        EXPECT(two.conflicts().empty() && two.ended_conflicts()[0].ending() == syncstore::ending::merged);
        two.sync(wire);
    }

    auto asked = std::make_shared<std::atomic<int>>(0);
    {
        syncstore::options options;
        std::optional<syncstore::resolver> resolver(syncstore::resolver::from(
            [asked, owned = std::make_unique<int>(1)](syncstore::conflict conflict, syncstore::resolver_answer answer) {
                *asked += *owned;
                if (conflict.key() == "thrown") throw std::runtime_error("undecided");
                if (conflict.key() == "failed") answer.fail("undecided");
                else answer.resolve(syncstore::resolution::merged, conflict.merge(syncstore::prefer::theirs)->view());
            }));
        options.resolver = &*resolver;
        syncstore::store two = syncstore::store::open("resolved.db", options);
        resolver.reset();
        conflict_of(wire, one, two, "decided");
        two.sync(wire);
        EXPECT(asked->load() == 1 && two.conflicts().empty());
        conflict_of(wire, one, two, "thrown");
        conflict_of(wire, one, two, "failed");
        two.pull(wire);
        EXPECT(two.conflicts().size() == 2 && asked.use_count() == 2);
    }
    EXPECT(asked.use_count() == 1);
    {
        syncstore::options options;
        const syncstore::resolver fields = syncstore::resolver::field_merge(syncstore::prefer::ours);
        options.resolver = &fields;
        syncstore::store two = syncstore::store::open("fields.db", options);
        conflict_of(wire, one, two, "fields");
        two.sync(wire);
        EXPECT(two.get("plain", "fields")->view() == "{\"a\":2,\"b\":3}");
        EXPECT(syncstore::resolver::last_writer("/at").c_handle() != nullptr);
    }
}

static void rejections(char** arguments)
{
    const syncstore::wire wire = connect(arguments);
    syncstore::store one = syncstore::store::open("one.db");
    syncstore::store two = syncstore::store::open("rejected.db");
    for (const char* key : {"r", "s", "t"}) one.set("strict", key, "1");
    one.sync(wire);
    two.sync(wire);
    for (const char* key : {"r", "s", "t"}) one.set("strict", key, "2");
    one.sync(wire);
    const syncstore::ref op = two.set("strict", "r", "3");
    two.set("strict", "s", "3");
    two.set("strict", "t", "3");
    EXPECT(two.depends_on(op).empty());
    two.sync(wire);
    const syncstore::rejected_list rejected = two.rejections();
    EXPECT(rejected.size() == 3 && rejected[0].op() == op && rejected[0].code() == "stale" && !rejected[0].message().empty());
    EXPECT(rejected[0].collection() == "strict" && rejected[0].key() == "r" && rejected[0].kind() == syncstore::op_kind::set);
    EXPECT(rejected[0].resource() == syncstore::resource::value && !rejected[0].resource_name() && !rejected[0].batch() && rejected[0].base());
    EXPECT(rejected[0].payload() == "3" && rejected[0].meant() == "3" && rejected[0].present() == "2");
    EXPECT(rejected[0].seq() > 0 && rejected[0].at() > 0);
    const syncstore::ref made = two.retry(op);
    EXPECT(two.retry_of(made) == op && !two.retry_of(op) && two.outcome_of(op)->other() == made);
    EXPECT_THROWS(SYNCSTORE_NOT_REJECTED, two.edit_order(op, "1"));
    EXPECT_THROWS(SYNCSTORE_EDIT_OF_ANOTHER_PART, two.edit_relation(rejected[1].op(), "p", "c", "k"));
    EXPECT_THROWS(SYNCSTORE_PATCH_FAILED, two.edit_patch(rejected[1].op(), "[{\"op\":\"remove\",\"path\":\"/none\"}]"));
    two.edit_set(rejected[1].op(), "4");
    EXPECT_THROWS(SYNCSTORE_NOT_REJECTED, two.edit_remove(rejected[1].op()));
    EXPECT(two.discard(rejected[2].op()) && !two.discard(rejected[2].op()));
    two.sync(wire);
    EXPECT(two.rejections().empty() && two.get("strict", "s")->view() == "4" && two.get("strict", "t")->view() == "2");
    EXPECT(two.position() > 0 && !two.bootstrap_progress());
}

int main(int count, char** arguments)
{
    EXPECT(count >= 3);
    watching();
    events(arguments);
    conflicts(arguments);
    rejections(arguments);
    EXPECT(syncstore::live_handles() == 0);
    return 0;
}
