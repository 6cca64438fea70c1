/* Twice, and nothing before it. */
#include "syncstore.h"
#include "syncstore.h"

/* What each `_INIT` gives; header.rs looks whether one is missing here. */
size_t all_defaults(void);

size_t all_defaults(void)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore_list_options list_options = SYNCSTORE_LIST_OPTIONS_INIT;
    syncstore_watch_options watch_options = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_event_options event_options = SYNCSTORE_EVENT_OPTIONS_INIT;
    syncstore_http_options http_options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_sync_policy sync_policy = SYNCSTORE_SYNC_POLICY_INIT;
    syncstore_wire_callbacks wire_callbacks = SYNCSTORE_WIRE_CALLBACKS_INIT;
    syncstore_remote_query remote_query = SYNCSTORE_REMOTE_QUERY_INIT;
    syncstore_write_options write_options = SYNCSTORE_WRITE_OPTIONS_INIT;
    syncstore_search_options search_options = SYNCSTORE_SEARCH_OPTIONS_INIT;

    return options.struct_size
           + list_options.struct_size
           + watch_options.struct_size
           + event_options.struct_size
           + http_options.struct_size
           + sync_policy.struct_size
           + wire_callbacks.struct_size
           + remote_query.struct_size
           + write_options.struct_size
           + search_options.struct_size;
}

#if SYNCSTORE_VERSION_MAJOR < 0
#error "there is no such version"
#endif
