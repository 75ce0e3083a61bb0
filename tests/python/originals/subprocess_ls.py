import subprocess

child = subprocess.Popen(["ls"])
print("parent process")
