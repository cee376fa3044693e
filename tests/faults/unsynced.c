/*
 * What a power cut leaves behind: preloaded into a program, this keeps beside its directory what
 * fsync and fdatasync have made durable, and nothing else. Nothing is really synced, so that a
 * test can cut the power some hundred times.
 *
 *   UNSYNCED_DIRECTORY  the directory that is watched, with all below it
 *   UNSYNCED_IMAGE      where the durable state is kept
 *   UNSYNCED_LIES       if set, nothing is made durable, although it is said to be
 *
 * The image holds a file's durable bytes under the file's id (inode and time of birth, so that an
 * inode that is used again is another file), and a directory's durable entries under `dir-ID`, one
 * a line: "KIND ID NAME", KIND f or d. A file's own fsync makes its bytes and its length durable
 * but not its name: that takes an fsync of its directory, as fsync(2) says. tests/faults/power.rs
 * makes from image and directory what might be found after the power is back.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNK 65536

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* A test that cannot trust the image must not go on. */
static void give_up(const char *what, const char *where)
{
    fprintf(stderr, "unsynced: %s %s: %s\n", what, where, strerror(errno));
    abort();
}

static void id_of(int fd, const char *name, char *id, size_t size)
{
    struct statx found;
    int flags = name[0] ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
    if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0)
        give_up("statx", name);
    if (!(found.stx_mask & STATX_BTIME)) {
        errno = ENOTSUP;
        give_up("time of birth", name);
    }
    snprintf(id, size, "%llu-%lld%09u", (unsigned long long)found.stx_ino,
             (long long)found.stx_btime.tv_sec, found.stx_btime.tv_nsec);
}

/* Whether the open file lies in the directory that is watched. */
static int is_watched(int fd)
{
    const char *directory = getenv("UNSYNCED_DIRECTORY");
    char link[64], path[PATH_MAX];
    if (directory == NULL)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    size_t prefix = strlen(directory);
    return strncmp(path, directory, prefix) == 0 && (path[prefix] == '/' || path[prefix] == 0);
}

static void write_whole(int fd, const char *bytes, size_t count, off_t at, const char *path)
{
    while (count > 0) {
        ssize_t written = pwrite(fd, bytes, count, at);
        if (written <= 0)
            give_up("write", path);
        bytes += written, at += written, count -= (size_t)written;
    }
}

/*
 * Brings the durable bytes up to what the file holds, changing only what differs: whoever is
 * killed half-way has synced some of it.
 */
static void sync_file(int fd, const char *path)
{
    static char now[CHUNK], then[CHUNK];
    int image = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (image < 0)
        give_up("open", path);
    /* through a descriptor of its own: the program's may be open for writing only */
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int source = open(link, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        give_up("open", link);
    off_t at = 0;
    for (;;) {
        ssize_t got = pread(source, now, CHUNK, at);
        if (got < 0)
            give_up("read", link);
        if (got == 0)
            break;
        ssize_t had = pread(image, then, (size_t)got, at);
        if (had != got || memcmp(now, then, (size_t)got) != 0)
            write_whole(image, now, (size_t)got, at, path);
        at += got;
    }
    if (ftruncate(image, at) != 0)
        give_up("truncate", path);
    close(source);
    close(image);
}

/* Makes the directory's entries durable, all at once. */
static void sync_directory(int fd, const char *path)
{
    char fresh[PATH_MAX], link[64], id[64];
    snprintf(fresh, sizeof fresh, "%.*s.new", (int)(sizeof fresh - 5), path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    FILE *table = fopen(fresh, "we");
    DIR *entries = opendir(link);
    if (table == NULL || entries == NULL)
        give_up("list", link);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        struct stat found;
        /* gone since it was listed */
        if (fstatat(fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        id_of(fd, entry->d_name, id, sizeof id);
        fprintf(table, "%c %s %s\n", S_ISDIR(found.st_mode) ? 'd' : 'f', id, entry->d_name);
    }
    closedir(entries);
    if (fclose(table) != 0 || rename(fresh, path) != 0)
        give_up("keep", path);
}

static int make_durable(int fd)
{
    const char *image = getenv("UNSYNCED_IMAGE");
    char path[PATH_MAX], id[64];
    struct stat found;
    if (image == NULL || fstat(fd, &found) != 0)
        return -1;
    if (getenv("UNSYNCED_LIES") != NULL)
        return 0;
    id_of(fd, "", id, sizeof id);
    pthread_mutex_lock(&turn);
    if (S_ISDIR(found.st_mode)) {
        snprintf(path, sizeof path, "%s/dir-%s", image, id);
        sync_directory(fd, path);
    } else {
        snprintf(path, sizeof path, "%s/%s", image, id);
        sync_file(fd, path);
    }
    pthread_mutex_unlock(&turn);
    return 0;
}

int fsync(int fd)
{
    return is_watched(fd) ? make_durable(fd) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return is_watched(fd) ? make_durable(fd) : (int)syscall(SYS_fdatasync, fd);
}
