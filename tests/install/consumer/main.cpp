#include <cstdio>
#include <nibble/result.hpp>

int main() {
  nibble::Result<int> answer = nibble::Error{nibble::Errc::not_found, "nothing here"};
  std::printf("%s\n", answer.error().at("consumer").message.c_str());
  return answer ? 1 : 0;
}
