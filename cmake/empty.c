/* A folder without sources yet. */
typedef int ns_empty;
