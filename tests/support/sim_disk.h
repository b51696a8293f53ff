// The disk of the simulated system: a tree of folders and files in memory that knows, for
// everything, what is there now ("live") and what would be there after a power failure ("safe").
//
//  - A file's content: each write and truncation since the file's last sync is remembered. When
//    the power fails, each is kept, lost, lost though the file has grown (zeros), or torn: some of
//    its 512-byte sectors are kept. Overwriting never harms bytes outside the write.
//  - A folder's names: each name made, moved or removed since the folder's last sync is kept or
//    lost, one by one and in any combination; a rename within a folder happens or does not. A
//    rename between folders is safe when the old folder is synced; syncing the new one makes the
//    new name safe and leaves the old one in doubt. Syncing a file says nothing of its name.
//  - Numbers of removed files are given out again, and modification times come in steps of 4 ms,
//    as on ext4.
//
// The choices come from the seed alone. Not for several threads: sim_os holds its mutex.
// Functions return 0 or an errno.
#pragma once

#include "base/os.h"

typedef struct sim_disk sim_disk;
typedef struct sim_inode sim_inode;

enum { SIM_SECTOR_BYTES = 512, SIM_TIME_STEP_NS = 4000000, SIM_NAME_MAX = 255 };

sim_disk *sim_disk_new(uint64_t seed); // aborts without memory, like everything here
void sim_disk_free(sim_disk *disk);
uint64_t sim_disk_choose(sim_disk *disk, uint64_t below); // from the seed's choices

// Forgets what was not safe, as the seed decides.
void sim_disk_lose_power(sim_disk *disk);

// What has the path. The caller may hold it with _keep and let go of it with _drop.
int sim_disk_find(sim_disk *disk, const char *path, sim_inode **ret);
void sim_disk_keep(sim_inode *inode);
void sim_disk_drop(sim_disk *disk, sim_inode *inode);

int sim_disk_create(sim_disk *disk, const char *path, wh_file_kind kind, uint32_t mode,
                    int64_t now_ns, sim_inode **ret);
int sim_disk_link(sim_disk *disk, const char *from, const char *to);
int sim_disk_rename(sim_disk *disk, const char *from, const char *to);
int sim_disk_remove(sim_disk *disk, const char *path);
int sim_disk_sync_names(sim_disk *disk, const char *path);

// The names of a folder, in an order of the seed's; valid until it changes. NULL behind the last.
const char *sim_disk_name(sim_disk *disk, sim_inode *folder, size_t at, wh_file_kind *ret_kind);

wh_file_info sim_disk_info(const sim_inode *inode);
size_t sim_disk_read(const sim_inode *inode, uint64_t offset, void *data, size_t cap);
void sim_disk_write(sim_inode *inode, uint64_t offset, const void *data, size_t len,
                    int64_t now_ns);
void sim_disk_truncate(sim_inode *inode, uint64_t size, int64_t now_ns);
void sim_disk_sync(sim_inode *inode);

// Who holds the file's lock: a handle, or NULL.
void **sim_disk_lock(sim_inode *inode);
