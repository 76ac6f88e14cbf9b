"""Did it help: experiments, value added, insertion and indicators. Reads tables; names no one."""
