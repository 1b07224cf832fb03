// What a conversion has finished, weight by weight, kept beside its work so that another process can go on. It is a
// claim, to be checked against the bytes.
#pragma once

#include "engine/receipt.hpp"
#include "ops/relative_error.hpp"

namespace nibble {

struct Journal {
  struct Part {
    std::string name;  // of the tensor in the file
    std::uint64_t bytes = 0;
    Receipt::Tensor note;
  };
  struct Record {
    std::vector<Part> parts;  // in the order of the file
    ErrorSums error;
  };

  std::string to;                         // "nf4 double-quant": for people
  std::string recipe;                     // two conversions with the same one make the same bytes of the same source
  std::string source;                     // names, sizes and times of the source's files
  std::map<std::string, Record> records;  // by the name of the weight; the last one counts

  // A line each, with its end.
  std::string first_line() const;
  static std::string line(const std::string& weight, const Record& record);

  // All lines that are whole; what stands behind the first damaged one is left out. An empty `recipe`: the first line
  // is damaged or of another version.
  static Journal parse(std::string_view text);
};

}  // namespace nibble
