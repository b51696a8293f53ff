#include <stdio.h>

int main(void) {
  puts("wherry");
  return 0;
}
