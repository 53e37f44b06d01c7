/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_probe.c: a look at a sqlite3 file's wal-index header.
 *
 * Each commit in WAL mode ends by rewriting both copies of that header, with a
 * change counter, a salt and checksums over all frames: when they are the bytes
 * seen before, nothing was committed since, by whatever program. (One header
 * can come back: that of an empty log, rebuilt after a checkpoint and a crash.
 * So the database's size and time of change, which a checkpoint moves, are in
 * the stamp too; they come with the stat that looks for a replaced file.)
 *
 * It counts only while a connection of this process holds the wal-index open:
 * as long as it does, no other process can remove or truncate it. Descriptors
 * are closed never, since closing one drops SQLite's POSIX locks of the whole
 * process; they are few, because one is opened only for a new file. The page
 * stays readable, as it does for SQLite, which maps the same one.
 *
 * Threads: look is lock-free; hold and let_go take the mutex.
 * Spec:    sqlite.org/walformat.html, 2.1 (wal-index header), 2.3 (locks); SQLite's WAL-mode readers compare the same bytes.
 */
#include "core_store_probe.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAX_FILES 16     /* wal-indexes opened in one process; past them every look is a doubt */
#define HEADER_LEN 48    /* of one copy */
#define HEADER_WORDS (CORE_STAMP_WORDS - 5)
#define AT_IS_INIT 12    /* byte that is 1 in a header in use */
#define WAL_INDEX_VERSION 3007000
#define WRITE_LOCK_AT 120 /* byte that a writer locks */
#define LOCK_LOOKS_EVERY apr_time_from_msec(5)

_Static_assert(HEADER_WORDS * sizeof(apr_uint64_t) == HEADER_LEN, "a stamp has one copy of the header, and five words more");

typedef struct {
    core_file_id_t database, index;
    const apr_uint64_t *header; /* its first page, mapped */
    int fd;
    int held;                   /* connections of this process */
} wal_index_t;

struct core_probe_t {
    const char *path, *index_path;
    apr_thread_mutex_t *mutex;
    wal_index_t files[MAX_FILES];
    int count;
    int current; /* in files; -1: none */
};

core_probe_t *core_probe_make(const char *path, apr_pool_t *p)
{
    core_probe_t *probe = apr_pcalloc(p, sizeof(*probe));

    probe->path = path;
    probe->index_path = apr_pstrcat(p, path, "-shm", NULL);
    probe->current = -1;
    return apr_thread_mutex_create(&probe->mutex, APR_THREAD_MUTEX_DEFAULT, p) == APR_SUCCESS ? probe : NULL;
}

static int file_id(core_file_id_t *id, const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        return 0;
    }
    id->device = info.st_dev;
    id->inode = info.st_ino;
    return 1;
}

int core_file_id_equal(const core_file_id_t *a, const core_file_id_t *b)
{
    return a->inode == b->inode && a->device == b->device;
}

int core_probe_file(core_file_id_t *id, const core_probe_t *probe)
{
    return file_id(id, probe->path);
}

/* The wal-index of a database that a connection holds open; -1 if it cannot be told. */
static int find_index(core_probe_t *probe, const core_file_id_t *database)
{
    core_file_id_t index, again;
    wal_index_t *file;
    struct stat info;
    void *page;
    int i, fd;

    if (!file_id(&index, probe->index_path)) {
        return -1;
    }
    for (i = 0; i < probe->count; i++) {
        file = &probe->files[i];
        if (core_file_id_equal(&file->database, database) && core_file_id_equal(&file->index, &index)) {
            return i;
        }
    }
    if (probe->count == MAX_FILES || (fd = open(probe->index_path, O_RDONLY | O_CLOEXEC)) < 0) {
        return -1;
    }
    /* From here on open for good, even where it turns out to be another's. */
    file = &probe->files[probe->count++];
    memset(file, 0, sizeof(*file));
    file->fd = fd;
    page = mmap(NULL, 2 * HEADER_LEN, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED || fstat(fd, &info) != 0 || info.st_dev != index.device || info.st_ino != index.inode ||
        info.st_size < 2 * HEADER_LEN || !file_id(&again, probe->path) || !core_file_id_equal(&again, database)) {
        return -1;
    }
    file->header = page;
    file->database = *database;
    file->index = index;
    return probe->count - 1;
}

void core_probe_hold(core_probe_t *probe, const core_file_id_t *id)
{
    int at;

    apr_thread_mutex_lock(probe->mutex);
    at = find_index(probe, id);
    if (at >= 0) {
        __atomic_add_fetch(&probe->files[at].held, 1, __ATOMIC_ACQ_REL);
    }
    __atomic_store_n(&probe->current, at, __ATOMIC_RELEASE);
    apr_thread_mutex_unlock(probe->mutex);
}

void core_probe_let_go(core_probe_t *probe, const core_file_id_t *id)
{
    int i;

    apr_thread_mutex_lock(probe->mutex);
    for (i = 0; i < probe->count; i++) {
        if (core_file_id_equal(&probe->files[i].database, id) && probe->files[i].held > 0) {
            __atomic_sub_fetch(&probe->files[i].held, 1, __ATOMIC_ACQ_REL);
            break;
        }
    }
    apr_thread_mutex_unlock(probe->mutex);
}

int core_probe_look(core_stamp_t *stamp, core_probe_t *probe)
{
    const unsigned char *header = (const unsigned char *)stamp->words;
    int at = __atomic_load_n(&probe->current, __ATOMIC_ACQUIRE), i;
    const wal_index_t *file;
    apr_uint64_t differ = 0;
    apr_uint32_t version;
    struct stat info;

    if (at < 0) {
        return 0;
    }
    file = &probe->files[at];
    if (__atomic_load_n(&file->held, __ATOMIC_ACQUIRE) <= 0 || stat(probe->path, &info) != 0 ||
        info.st_ino != file->database.inode || info.st_dev != file->database.device) {
        return 0;
    }
    /* A writer changes the second copy, then the first; so the first is read first. */
    for (i = 0; i < HEADER_WORDS; i++) {
        stamp->words[i] = __atomic_load_n(&file->header[i], __ATOMIC_RELAXED);
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    for (i = 0; i < HEADER_WORDS; i++) {
        differ |= stamp->words[i] ^ __atomic_load_n(&file->header[HEADER_WORDS + i], __ATOMIC_RELAXED);
    }
    memcpy(&version, header, sizeof(version));
    if (differ || version != WAL_INDEX_VERSION || header[AT_IS_INIT] != 1) {
        return 0;
    }
    stamp->words[HEADER_WORDS] = file->index.device;
    stamp->words[HEADER_WORDS + 1] = file->index.inode;
    stamp->words[HEADER_WORDS + 2] = (apr_uint64_t)info.st_size;
    stamp->words[HEADER_WORDS + 3] = (apr_uint64_t)info.st_mtim.tv_sec;
    stamp->words[HEADER_WORDS + 4] = (apr_uint64_t)info.st_mtim.tv_nsec;
    return 1;
}

/* Another process's lock; those of this one are not seen. Asking needs no lock, and no descriptor is closed. */
static int is_write_locked(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WRITE_LOCK_AT, .l_len = 1 };

    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int core_probe_await_writer(const core_probe_t *probe, apr_interval_time_t wait)
{
    int at = __atomic_load_n(&probe->current, __ATOMIC_ACQUIRE), locked;
    apr_time_t end = apr_time_now() + wait;

    while ((locked = at >= 0 && is_write_locked(probe->files[at].fd)) && apr_time_now() < end) {
        apr_sleep(LOCK_LOOKS_EVERY);
    }
    return !locked;
}
