/* Twice, and nothing before it. */
#include "syncstore.h"
#include "syncstore.h"

syncstore_options all_defaults(void);

syncstore_options all_defaults(void)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    return options;
}

#if SYNCSTORE_VERSION_MAJOR < 0
#error "there is no such version"
#endif
