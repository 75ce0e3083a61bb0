/** Which servant an object has. */

import { Queue } from "../ipc/queue.ts";
import { Pool } from "../pool/pool.ts";
import { Barrier } from "../sync/barrier.ts";
import { Condition } from "../sync/condition.ts";
import { Event } from "../sync/event.ts";
import { Lock } from "../sync/lock.ts";
import { type AnyObject, DictServant, iteratorMethods, ObjectServant } from "./_object_servant.ts";
import { DictObject, ListObject, SetObject } from "./_objects.ts";
import { PoolServant } from "./_pool_servant.ts";
import { type Exposure, type Servant, type Share, TableServant } from "./_servant.ts";
import {
  barrierMethods,
  ConditionServant,
  eventMethods,
  lockMethods,
  QueueServant,
} from "./_sync_servants.ts";

/** The servant of an object: one that knows its class, or else one that calls its methods. */
export function servantOf(typeid: string, object: unknown, exposure: Exposure, share: Share): Servant {
  if (typeid === "Iterator") {
    return new TableServant(typeid, object, iteratorMethods(object as Iterator<unknown>));
  }
  if (object instanceof Lock) return new TableServant(typeid, object, lockMethods(object));
  if (object instanceof Condition) return new ConditionServant(typeid, object);
  if (object instanceof Event) return new TableServant(typeid, object, eventMethods(object));
  if (object instanceof Barrier) return new TableServant(typeid, object, barrierMethods(object));
  if (object instanceof Queue) return new QueueServant(typeid, object as Queue);
  if (object instanceof Pool) return new PoolServant(typeid, object, share);
  if (object instanceof Map) object = new DictObject(object);
  if (object instanceof DictObject) return new DictServant(typeid, object, exposure, share);
  if (Array.isArray(object)) object = new ListObject(object);
  else if (object instanceof Set) object = new SetObject(object);
  return new ObjectServant(typeid, object as AnyObject, exposure, share);
}
