// libhdf5, loaded when the first object is opened: it brings a dozen libraries along, and a program
// that reads no HDF5 pays for them neither with memory nor with time.
//
// Debian's build is not safe for threads: whoever calls it is between h5_enter and h5_leave, one
// thread at a time. Nothing in between takes another lock, but the object may be read.
#pragma once

#include "base/error.h"

#include <hdf5.h>

#define H5_FUNCTIONS(X)                                                                            \
  X(H5open)                                                                                        \
  X(H5dont_atexit)                                                                                 \
  X(H5get_libversion)                                                                              \
  X(H5free_memory)                                                                                 \
  X(H5Aclose)                                                                                      \
  X(H5Aexists)                                                                                     \
  X(H5Aget_space)                                                                                  \
  X(H5Aget_type)                                                                                   \
  X(H5Aopen)                                                                                       \
  X(H5Aread)                                                                                       \
  X(H5Dget_create_plist)                                                                           \
  X(H5Dget_space)                                                                                  \
  X(H5Dget_type)                                                                                   \
  X(H5Dread)                                                                                       \
  X(H5Eclear2)                                                                                     \
  X(H5Eset_auto2)                                                                                  \
  X(H5Ewalk2)                                                                                      \
  X(H5FDregister)                                                                                  \
  X(H5Fclose)                                                                                      \
  X(H5Fopen)                                                                                       \
  X(H5Gget_info)                                                                                   \
  X(H5Iget_type)                                                                                   \
  X(H5Lget_name_by_idx)                                                                            \
  X(H5Oclose)                                                                                      \
  X(H5Oopen)                                                                                       \
  X(H5Pclose)                                                                                      \
  X(H5Pcreate)                                                                                     \
  X(H5Pget_chunk)                                                                                  \
  X(H5Pget_driver_info)                                                                            \
  X(H5Pget_external_count)                                                                         \
  X(H5Pget_filter2)                                                                                \
  X(H5Pget_layout)                                                                                 \
  X(H5Pget_mdc_config)                                                                             \
  X(H5Pget_nfilters)                                                                               \
  X(H5Pset_cache)                                                                                  \
  X(H5Pset_driver)                                                                                 \
  X(H5Pset_elink_cb)                                                                               \
  X(H5Pset_fclose_degree)                                                                          \
  X(H5Pset_mdc_config)                                                                             \
  X(H5Pset_vlen_mem_manager)                                                                       \
  X(H5Sclose)                                                                                      \
  X(H5Screate_simple)                                                                              \
  X(H5Sget_simple_extent_dims)                                                                     \
  X(H5Sget_simple_extent_ndims)                                                                    \
  X(H5Sget_simple_extent_type)                                                                     \
  X(H5Sselect_hyperslab)                                                                           \
  X(H5Tclose)                                                                                      \
  X(H5Tget_array_dims2)                                                                            \
  X(H5Tget_array_ndims)                                                                            \
  X(H5Tget_class)                                                                                  \
  X(H5Tget_ebias)                                                                                  \
  X(H5Tget_fields)                                                                                 \
  X(H5Tget_member_name)                                                                            \
  X(H5Tget_member_offset)                                                                          \
  X(H5Tget_member_type)                                                                            \
  X(H5Tget_member_value)                                                                           \
  X(H5Tget_nmembers)                                                                               \
  X(H5Tget_offset)                                                                                 \
  X(H5Tget_order)                                                                                  \
  X(H5Tget_precision)                                                                              \
  X(H5Tget_sign)                                                                                   \
  X(H5Tget_size)                                                                                   \
  X(H5Tget_strpad)                                                                                 \
  X(H5Tget_super)                                                                                  \
  X(H5Tis_variable_str)                                                                            \
  X(H5Zfilter_avail)

typedef struct h5_api {
#define H5_MEMBER(function) __typeof__(&function) function;
  H5_FUNCTIONS(H5_MEMBER)
#undef H5_MEMBER
} h5_api;

extern h5_api h5; // filled by the first h5_enter
// Classes of property lists, for H5Pcreate.
extern hid_t h5_file_access, h5_transfer, h5_link_access;

// Waits for its turn. WH_ERR_NOT_FOUND where libhdf5 is not installed.
wh_status h5_enter(wh_error *err);
void h5_leave(void);

// WH_ERR_DATA with the text, and what libhdf5 says was the first cause.
__attribute__((format(printf, 2, 3))) wh_status h5_fail(wh_error *err, const char *fmt, ...);
