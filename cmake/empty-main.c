/* A program without sources yet. */
int
main(void)
{
	return 69;
}
