// Lists and structs out of the levels of their leaves.
#pragma once

#include "codec/parquet/leaf_read.h"

// Builds what is around the leaves of a column, whose values stand in their columns already.
// `leaves` are the scan's, by number. WH_ERR_DATA where the leaves of a list or struct do not go
// together.
wh_status pq_nest_build(const pq_tree_node *node, pq_leaf_reader *const *leaves, wh_column *column,
                        wh_error *err);
// Calls for each leaf of the node with its column.
typedef wh_status (*pq_nest_visit)(void *context, const pq_tree_node *leaf, wh_column *column,
                                   wh_error *err);
wh_status pq_nest_each(const pq_tree_node *node, wh_column *column, pq_nest_visit visit,
                       void *context, wh_error *err);
