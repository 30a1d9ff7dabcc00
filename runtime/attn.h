/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface of the runtime, for other languages: open a device, load a kernel, launch it.
 *
 * Functions that can fail return 0 on success and another value otherwise; attn_last_error then says why, one sentence
 * per line, for the calling thread. When a launch fails its checks, nothing was launched.
 */
#ifndef ATTN_RUNTIME_ATTN_H
#define ATTN_RUNTIME_ATTN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_device attn_device;
typedef struct attn_kernel attn_kernel;

/* A CUstream; NULL is the default stream. */
typedef void *attn_stream;

enum attn_type {
  ATTN_F16 = 0,
  ATTN_BF16 = 1,
  ATTN_F32 = 2,
  ATTN_F64 = 3,
  ATTN_I8 = 4,
  ATTN_I32 = 5,
  ATTN_I64 = 6,
  ATTN_BOOL = 7,
  ATTN_INDEX = 8 /* scalars only */
};

enum attn_kind {
  ATTN_TENSOR = 0,  /* data, type, rank, shape, strides */
  ATTN_INTEGER = 1, /* integer: a scalar of i32 or index, or a whole number for f32 */
  ATTN_REAL = 2     /* real: a scalar of f32 */
};

/* One argument of a launch. Set all of it to zero first; members that the kind does not use are ignored. */
typedef struct attn_value {
  int kind;               /* enum attn_kind */
  int type;               /* tensors: enum attn_type */
  void *data;             /* device address of element (0, 0, ...) */
  size_t rank;            /* number of dimensions */
  const int64_t *shape;   /* rank sizes, in elements */
  const int64_t *strides; /* rank strides, in elements, may be 0; NULL: contiguous, last dimension fastest */
  int64_t integer;
  double real;
} attn_value;

enum attn_role { ATTN_INPUT = 0, ATTN_SCALAR = 1, ATTN_OUTPUT = 2, ATTN_INOUT = 3 };

/* What is wrong with the last call of this thread that failed; never NULL, valid until the next such call. */
const char *attn_last_error(void);

/* name: "auto", "sim", "sim:seed=1", "cuda:0". NULL is "auto". */
int attn_device_open(const char *name, attn_device **device);
/* A device may be closed before its kernels. NULL is allowed. */
void attn_device_close(attn_device *device);
/* The device's name for people; valid while the device is open. */
const char *attn_device_name(const attn_device *device);

int attn_device_allocate(attn_device *device, size_t bytes, void **data);
int attn_device_release(attn_device *device, void *data);
int attn_device_copy_in(attn_device *device, void *to, const void *from, size_t bytes);
int attn_device_copy_out(attn_device *device, void *to, const void *from, size_t bytes);
int attn_device_synchronize(attn_device *device, attn_stream stream);

/* path: a kernel file, or a spec, which is compiled when it is not in the cache. name: which kernel; may be NULL when
 * the file holds one. */
int attn_kernel_load(attn_device *device, const char *path, const char *name, attn_kernel **kernel);
/* The same with the target ("sm_80"), the folder of the cache and the path of attnc given; NULL for the default. */
int attn_kernel_load_with(attn_device *device, const char *path, const char *name, const char *target,
                          const char *cache, const char *compiler, attn_kernel **kernel);
void attn_kernel_unload(attn_kernel *kernel);

/* The arguments, in the order in which a launch takes them. Strings are valid while the kernel is loaded. An index that
 * is too large gives NULL, -1 or 0. */
size_t attn_kernel_arguments(const attn_kernel *kernel);
const char *attn_kernel_argument_name(const attn_kernel *kernel, size_t index);
int attn_kernel_argument_role(const attn_kernel *kernel, size_t index);
int attn_kernel_argument_type(const attn_kernel *kernel, size_t index);
size_t attn_kernel_argument_rank(const attn_kernel *kernel, size_t index);
/* Name of a dimension, and its size when it is static, else -1. */
const char *attn_kernel_dimension_name(const attn_kernel *kernel, size_t index, size_t dimension);
int64_t attn_kernel_dimension_size(const attn_kernel *kernel, size_t index, size_t dimension);

/* Bytes of workspace that a launch with these values needs, from shapes alone: addresses may be NULL and nothing of the
 * device is used. The caller allocates it once for the largest launch, may share it between launches that follow each
 * other in a stream, and need not initialise it. */
int attn_kernel_workspace(const attn_kernel *kernel, const attn_value *values, size_t count, size_t *bytes);

/* Checks everything, then launches. The workspace begins at a multiple of 256 and may be NULL when none is needed; one of
 * fewer bytes than attn_kernel_workspace says is refused. Does not wait, allocate or copy on the device, so it can be
 * captured in a graph. */
int attn_kernel_launch(const attn_kernel *kernel, const attn_value *values, size_t count, void *workspace,
                       size_t workspace_bytes, attn_stream stream);

#ifdef __cplusplus
}
#endif

#endif /* ATTN_RUNTIME_ATTN_H */
