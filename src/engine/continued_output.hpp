// The files of a conversion, filled weight by weight in a work folder, with a journal beside them. Another process can
// go on where this one was stopped: it keeps the weights whose bytes have the hashes in the journal and makes the rest.
// However often that happens, the output has the same bytes.
#pragma once

#include "engine/conversion.hpp"
#include "engine/journal.hpp"
#include "io/work_folder.hpp"

namespace nibble {

// Everything about an output that is known before the first weight is read.
struct OutputPlan {
  struct Weight {
    const ModuleSpec* module = nullptr;
    Journal::Record record;              // its parts' names and sizes, and notes as long as the real ones will be
    std::optional<std::size_t> varying;  // the part whose size is only the most it can have
  };
  struct File {
    std::string name;
    std::uint64_t room = 0;          // bytes before the data, to be filled at the end
    std::size_t first = 0, end = 0;  // weights
  };
  Target form = Target::folder;
  std::string to;      // for people: "nf4 double-quant"
  std::string recipe;  // what else decides about bytes, beside the weights above and the heads
  std::vector<Weight> weights;
  std::vector<File> files;
};

class ContinuedOutput {
 public:
  using Records = std::span<const Journal::Record* const>;

  // A weight as it will be stored: the bytes of its parts, as planned. parts[own] is the weight itself, the others
  // stand beside it. What the parts point to is in the source, or lives as long as `memory`.
  struct Made {
    std::shared_ptr<const void> memory;
    std::vector<std::span<const std::byte>> parts;
    std::size_t own = 0;
    ErrorSums error = {};
  };

  // What differs between containers.
  class Container {
   public:
    virtual ~Container() = default;
    // What stands before the data of a file whose weights these are; as long as the file's room.
    virtual Result<std::string> head(const OutputPlan::File& file, Records records) = 0;
    virtual std::uint64_t padding(std::uint64_t) const { return 0; }  // zeros behind a tensor of so many bytes
    virtual Result<Made> make(std::size_t weight) = 0;
    // What will stand beside the files: its bytes on the disk, and hashes by name of what decides.
    virtual std::uint64_t small_bytes() const { return 0; }
    virtual const std::map<std::string, std::string>& small_files() const {
      static const std::map<std::string, std::string> none;
      return none;
    }
  };

  // Fills in each file's room. `replace`: what has the output's name goes when the new one is whole.
  ContinuedOutput(Conversion& conversion, Container& container, OutputPlan plan, bool replace = false)
      : conversion_(conversion), container_(container), plan_(std::move(plan)), replace_(replace) {}
  ~ContinuedOutput();

  // Makes every file of the plan. An error keeps what is finished if the same request may succeed later, and says so.
  Result<void> write(const std::filesystem::path& target);

  const OutputPlan& plan() const { return plan_; }
  std::filesystem::path folder() const { return work_->output(); }
  const Journal::Record& record(std::size_t weight) const { return records_[weight]; }
  // The output gets its name: `made` is folder() or the one file in it.
  Result<void> put_in_place(const std::filesystem::path& made);
  // The work stays for later or goes, as write() says; the error tells which.
  Error leave(const Error& error);

 private:
  Result<void> prepare();
  Result<void> open();
  Result<void> take_over(bool same_source);
  Result<void> take_over(std::size_t file, bool same_source);
  const Journal::Record* planned_record(std::size_t weight) const;
  bool is_as_recorded(std::size_t weight, std::span<const std::byte> bytes, bool same_source) const;
  std::uint64_t still_to_write() const;
  Result<void> check_space() const;
  Result<void> fill(std::size_t file);
  Result<void> store(std::size_t weight, const Made& made);
  Result<std::string> head_of(const OutputPlan::File& file);
  std::filesystem::path path_of(const OutputPlan::File& file) const { return work_->output() / file.name; }
  std::uint64_t with_padding(const Journal::Record& record) const;
  std::string progress() const;  // "3 of 7 shards are complete"
  void say(const std::string& sentence) const;

  Conversion& conversion_;
  Container& container_;
  OutputPlan plan_;
  bool replace_ = false;
  std::filesystem::path target_;
  std::optional<WorkFolder> work_;
  Journal journal_;
  std::optional<AtomicFile> journal_file_, file_;
  std::vector<Journal::Record> records_;   // of weights that are finished
  std::vector<bool> finished_, complete_;  // weights; files
  std::uint64_t unsynced_ = 0;
};

}  // namespace nibble
