// SPDX-License-Identifier: Apache-2.0
// CUDA as a device, through the driver library that is opened at run time.
#ifndef ATTN_RUNTIME_CUDADEVICE_H
#define ATTN_RUNTIME_CUDADEVICE_H

#include "runtime/Runtime.h"

#include <memory>
#include <string>
#include <string_view>

namespace attn {

/// The device of that ordinal. Throws Error when there is no driver, no such device, or it does not work.
std::shared_ptr<Device> openCuda(const std::string &ordinal);

/// Device 0; null when this machine has no driver or no device.
std::shared_ptr<Device> openCudaIfPresent();

/// Why code for `target` ("sm_90a") cannot run on compute capability `capability` (10 * major + minor); empty when it
/// can. Plain targets run on all later chips, those ending in 'a' on their own, those ending in 'f' on their family.
std::string refusalOn(std::string_view target, int capability);

} // namespace attn

#endif // ATTN_RUNTIME_CUDADEVICE_H
