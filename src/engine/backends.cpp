#include "engine/backends.hpp"

#include <algorithm>

#include "cpu/cpu_backend.hpp"
#include "cpu/peak.hpp"
#include "nibble/device.hpp"

namespace nibble {
namespace {

struct DeviceKind {
  std::vector<std::string> (*list)();  // names of those that are here
  Result<std::unique_ptr<Backend>> (*make)(std::string_view name, const BackendOptions& options);
  Peaks (*peaks)(std::string_view name, int threads);
};

// Best first. A new kind of device is a line here and a folder that only this file includes.
constexpr DeviceKind kinds[] = {
    {[] { return std::vector<std::string>{"cpu"}; },
     [](std::string_view, const BackendOptions& options) {
       return make_cpu_backend({.threads = options.threads, .target = options.cpu_target, .memory = options.memory});
     },
     [](std::string_view, int threads) { return measure_peaks(threads); }},
};

struct Device {
  const DeviceKind* kind;
  std::string name;
};

Result<Device> find_device(const std::string& wanted) {
  for (const DeviceKind& kind : kinds)
    for (std::string& name : kind.list())
      if (wanted == automatic || wanted == name) return Device{&kind, std::move(name)};
  return error(Errc::bad_request, "there is no device \"{}\" here; choose {} or {}, which takes the best there is",
               wanted, fmt::join(devices(), ", "), automatic);
}

}  // namespace

std::vector<std::string> devices() {
  std::vector<std::string> names;
  for (const DeviceKind& kind : kinds)
    for (std::string& name : kind.list()) names.push_back(std::move(name));
  return names;
}

Result<void> check_device(const std::string& device) {
  const auto found = find_device(device);
  return found ? Result<void>() : found.error();
}

BackendOptions backend_options(const LoadOptions& options) {
  return {.device = options.device_map, .threads = options.threads, .cpu_target = options.cpu_target};
}

Result<std::unique_ptr<Backend>> make_backend(const BackendOptions& options) {
  NIBBLE_TRY(const Device device, find_device(options.device));
  return device.kind->make(device.name, options);
}

Result<Peaks> measure_peaks(const std::string& device, int threads) {
  NIBBLE_TRY(const Device found, find_device(device));
  return found.kind->peaks(found.name, threads);
}

}  // namespace nibble
