#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {

TEST_CASE("the SQLite ledger answers as the port promises") {
  SqliteUnderTest tested;
  conformance_of_answers(tested);
}

TEST_CASE("the SQLite ledger counts attempts as the port promises") {
  SqliteUnderTest tested;
  conformance_of_attempts(tested);
}

TEST_CASE("the SQLite ledger keeps time as the port promises") {
  SqliteUnderTest tested;
  conformance_of_time(tested);
}

TEST_CASE("the SQLite ledger recovers as the port promises") {
  SqliteUnderTest tested;
  conformance_of_recovery(tested);
}

}  // namespace onetap::tests
