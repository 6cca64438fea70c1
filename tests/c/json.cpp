// nlohmann::json values, where that header is present; else there is nothing to see.
#include "expect.hpp"

int main()
{
#ifdef SYNCSTORE_HAS_NLOHMANN
    {
        syncstore::store store = syncstore::store::open("json.db");
        store.set("notes", "n", nlohmann::json{{"title", "Milk"}, {"amount", 2}});
        store.set("notes", "text", "\"a text is JSON already\"");
        store.patch("notes", "n", nlohmann::json::parse(R"([{"op": "add", "path": "/done", "value": true}])"));
        EXPECT(store.get_json("notes", "n") == nlohmann::json({{"title", "Milk"}, {"amount", 2}, {"done", true}}));
        EXPECT(!store.get_json("notes", "none") && store.get("notes", "n")->json()["amount"] == 2);
        for (const syncstore::row row : store.query("notes").to("t")) EXPECT(row.json().at("title") == "Milk");
        EXPECT_THROWS(SYNCSTORE_LIMIT, store.set("notes", "", nlohmann::json(1)));
    }
    std::puts("with nlohmann::json");
#endif
    EXPECT(syncstore::live_handles() == 0);
    return 0;
}
